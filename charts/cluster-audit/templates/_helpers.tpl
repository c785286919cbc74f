{{- define "cluster-audit.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, with the chart's behind it unless it is in there already. */}}
{{- define "cluster-audit.fullname" -}}
{{- $name := include "cluster-audit.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "cluster-audit.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "cluster-audit.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Not empty if the operator publishes only while it holds the Lease. */}}
{{- define "cluster-audit.elects" -}}
{{- if or .Values.leaderElection.enabled (gt (int .Values.replicas) 1) }}true{{ end }}
{{- end }}

{{- define "cluster-audit.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What does not change from one version to the next: selectors are immutable. */}}
{{- define "cluster-audit.selector" -}}
app.kubernetes.io/name: {{ include "cluster-audit.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cluster-audit.labels" -}}
{{ include "cluster-audit.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Metadata of an object. Takes the root, its name, and where they differ: the namespace (none for
     what has none), more labels and annotations. */}}
{{- define "cluster-audit.metadata" -}}
{{- $root := .root -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- $own := include "cluster-audit.labels" $root | fromYaml }}
  {{- mergeOverwrite (dict) $root.Values.labels (default dict .labels) $own | toYaml | nindent 2 }}
{{- with mergeOverwrite (dict) $root.Values.annotations (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Resources of the first preset that is enough for so many nodes, and what stands over them. */}}
{{- define "cluster-audit.resources" -}}
{{- $root := . }}
{{- $chosen := dict }}
{{- range .Files.Get "files/presets.yaml" | fromYamlArray }}
{{- if and (not $chosen) (le (int $root.Values.nodes) (int .nodes)) }}
{{- $chosen = .resources }}
{{- end }}
{{- end }}
{{- mergeOverwrite (deepCopy $chosen) .Values.resources | toYaml }}
{{- end }}

{{/* How the Prometheus Operator scrapes; takes the root and the values of the monitor. */}}
{{- define "cluster-audit.endpoint" -}}
{{- $tls := .root.Values.metrics.tlsSecretName }}
{{- with .monitor }}
- port: metrics
  path: /metrics
  interval: {{ .interval }}
  {{- if $tls }}
  scheme: https
  {{- end }}
  {{- with .tlsConfig }}
  tlsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .authorization }}
  authorization:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .relabelings }}
  relabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
