"""The scheduler's filters, one file per plugin, each by the plugin's name.

Source: kube-scheduler 1.37 `pkg/scheduler/framework/plugins`.
"""
