"""Values of the chart that tests share."""

from typing import Any

EVERYTHING: dict[str, Any] = {
    "image": {"digest": "sha256:" + "0" * 64, "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "nodes": 5000,
    "replicas": 3,
    "leaderElection": {"leaseDuration": 20},
    "resources": {"limits": {"memory": "2Gi"}},
    "report": {
        "spec": {
            "minSeverity": "low",
            "rules": [{"code": "CMP102", "settings": {"forSeconds": 60}}],
        }
    },
    "operator": {"pulseWindow": 0.5, "metricsPort": 9090, "verbose": True},
    "serviceAccount": {"annotations": {"example.com/a": "b"}},
    "service": {"labels": {"scrape": "yes"}, "annotations": {"example.com/a": "b"}},
    "metrics": {
        "tlsSecretName": "metrics-tls",
        "authentication": True,
        "readers": [{"kind": "ServiceAccount", "namespace": "monitoring", "name": "prometheus"}],
    },
    "serviceMonitor": {
        "enabled": True,
        "tlsConfig": {"insecureSkipVerify": True},
        "authorization": {"credentials": {"name": "token", "key": "token"}},
        "labels": {"release": "prometheus"},
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "labeldrop", "regex": "container"}],
    },
    "podMonitor": {"enabled": True, "interval": "1m"},
    "dashboard": {"enabled": True, "annotations": {"grafana_folder": "Platform"}},
    "networkPolicy": {
        "enabled": True,
        "scrapers": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    },
    "labels": {"team": "platform"},
    "annotations": {"example.com/owner": "platform"},
    "podLabels": {"network": "internal"},
    "podAnnotations": {"example.com/pod": "yes"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
        }
    ],
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "preference": {
                        "matchExpressions": [{"key": "infra", "operator": "Exists"}],
                    },
                }
            ]
        }
    },
}
"""Every optional part on, and every free value given."""
