#!/usr/bin/env bash
# Rolls one image out: platform, then the set-up Jobs, and only when these are done the services.
#   deploy/kubernetes/roll-out.sh prod registry.example.com/datapump@sha256:<64 hex digits>
# Needs kubectl 1.27 or newer, logged in to the cluster. Running it again does no harm.
set -euo pipefail
cd "$(dirname "$0")"

if [ $# -ne 2 ] || [ ! -d "overlays/$1" ]; then
  echo "usage: $0 <$(cd overlays && echo * | tr ' ' '|')> <image@sha256:digest>" >&2
  exit 2
fi
if ! [[ $2 =~ ^[a-z0-9][a-zA-Z0-9./:_-]*@sha256:[0-9a-f]{64}$ ]]; then
  echo "image: found $2, expected <registry>/<name>@sha256:<64 hex digits>: a tag may be moved under a running system" >&2
  exit 2
fi

set_up_seconds_max=960
poll_seconds=${ROLL_OUT_POLL_SECONDS:-5}
manifests=$(mktemp)
trap 'rm -f "$manifests"' EXIT
kubectl kustomize "overlays/$1" | sed "s|datapump.invalid/datapump:given-at-roll-out|$2|" >"$manifests"
namespace=$(awk '/^kind: Namespace/ { found = 1 } found && /^  name:/ { print $2; exit }' "$manifests")

apply() { kubectl apply -f "$manifests" -l "datapump.io/step=$1"; }
jobs() { kubectl -n "$namespace" get jobs -l datapump.io/step=set-up -o "jsonpath={.items[*].status.$1}"; }

apply platform
# A Job cannot be changed, so that of an earlier roll-out goes first.
kubectl -n "$namespace" delete jobs -l datapump.io/step=set-up --ignore-not-found
apply set-up
expected=$(grep -c '^kind: Job$' "$manifests")
deadline=$((SECONDS + set_up_seconds_max))
until [ "$(jobs succeeded | wc -w)" -eq "$expected" ]; do
  if [[ $(jobs 'conditions[*].type') == *Failed* ]] || [ $SECONDS -ge $deadline ]; then
    echo "set-up has failed or took more than $set_up_seconds_max s; the services were not touched. Its words:" >&2
    kubectl -n "$namespace" logs -l datapump.io/step=set-up --prefix --tail=50 >&2 || true
    exit 1
  fi
  sleep "$poll_seconds"
done
apply services
kubectl -n "$namespace" rollout status deployment -l datapump.io/step=services --timeout=900s
