{{- define "ntd.name" -}}
{{- printf "%s-ntd" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- define "ntd.labels" -}}
app.kubernetes.io/name: ntd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
