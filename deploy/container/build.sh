#!/usr/bin/env bash
# Builds the image with docker, podman or buildah, writes its bill of materials, and tells its size and how fast it starts.
#   NODE_IMAGE=docker.io/library/node:24-bookworm-slim@sha256:<digest> deploy/container/build.sh <image:tag> [folder for the papers]
# BUILDER=buildah and BUILDER_OPTIONS="…" choose the program and what it is given besides.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ $# -lt 1 ]; then
  echo "usage: NODE_IMAGE=<name>@sha256:<digest> $0 <image:tag> [folder for the papers]" >&2
  exit 2
fi
image=$1
papers=${2:-}
if ! [[ ${NODE_IMAGE:-} =~ @sha256:[0-9a-f]{64}$ ]]; then
  echo "NODE_IMAGE: found '${NODE_IMAGE:-}', expected the base by digest: <name>@sha256:<64 hex digits>." >&2
  echo "Look it up, for example: docker buildx imagetools inspect docker.io/library/node:24-bookworm-slim" >&2
  exit 2
fi
builder=${BUILDER:-$(for program in docker podman buildah; do command -v "$program" >/dev/null && echo "$program" && break; done)}
[ -n "$builder" ] || { echo 'none of docker, podman and buildah is on this machine' >&2; exit 2; }
read -ra options <<<"${BUILDER_OPTIONS:-}"

if [ -n "$papers" ]; then
  mkdir -p "$papers"
  node deploy/container/bill-of-materials.cjs "$papers"
fi
case $builder in
  buildah) build=(buildah bud) ;;
  *) build=("$builder" build) ;;
esac
began=$(date +%s)
"${build[@]}" "${options[@]}" --build-arg "NODE_IMAGE=$NODE_IMAGE" -f deploy/container/Dockerfile -t "$image" .
echo "built in $(($(date +%s) - began)) s"
if [ "$builder" != buildah ]; then
  echo "size: $("$builder" image inspect --format '{{.Size}}' "$image") bytes"
  began=$(date +%s%N)
  "$builder" run --rm --read-only --cap-drop all "$image" --version
  echo "started, told its version and ended in $((($(date +%s%N) - began) / 1000000)) ms"
fi
