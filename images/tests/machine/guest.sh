#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs inside the machine that build.sh makes: the life of the package on a Debian with systemd. `### PASSED` is its last line
# when everything holds; otherwise `### FAILED` with the line that did not.
set -Eeuo pipefail
on_error() {
  local code=$?
  journalctl --no-pager --quiet --boot --unit headgate | tail -n 30
  echo "### FAILED at line $1 ($code): $2"
  exit 1
}
trap 'on_error "$LINENO" "$BASH_COMMAND"' ERR
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
step() { echo "### $*"; }
# is EXPECTED COMMAND…: what the command says is EXPECTED.
is() {
  local expected=$1 said
  shift
  said=$("$@") || true
  [[ $said == "$expected" ]] || { echo "\`$*\` says '$said', not '$expected'"; return 1; }
}
# refute COMMAND…: it must fail. (`! command` alone would never end this script.)
refute() { if "$@"; then echo "\`$*\` succeeds"; return 1; fi; }
state_of() { systemctl show --value --property "$1" headgate; }
# shellcheck disable=SC2120  # refute gives the argument
live() { headgate wait --commit "$(git -C /srv/site rev-parse HEAD)" --timeout "${1:-120s}" --repo /srv/site; }
answer() { curl --silent --show-error --insecure --output /dev/null --write-out "$1" --resolve shop.localhost:80:127.0.0.1 \
  --resolve shop.localhost:443:127.0.0.1 "${@:2}"; }

step 'installing starts nothing'
ip link set lo up
apt-get -q install -y --no-install-recommends /packages/old.deb
old=$(headgate --version)
is disabled systemctl is-enabled headgate
is inactive systemctl is-active headgate
id headgate

step 'without a repository it says what to do, and is not tried again and again'
systemctl start headgate || true
until [[ $(state_of ActiveState) == failed ]]; do read -rt 0.2 <> <(:) || true; done
is 2 state_of ExecMainStatus
journalctl --unit headgate --output cat | grep 'no source: give --source'
systemctl reset-failed headgate

step 'it starts, and serves on ports 80 and 443'
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key 'Test <edge@localhost>' ed25519 sign never
gpg --armor --export edge@localhost >/etc/headgate/keys.asc
git config --global user.name Test
git config --global user.email edge@localhost
git config --global commit.gpgSign true
cp -R /usr/share/doc/headgate/examples/storefront /srv/site
rm -f /srv/site/signers.yaml
find /srv/site -name '*.gz' -exec gunzip {} +
git -C /srv/site -c init.defaultBranch=main init --quiet
git -C /srv/site add --all
git -C /srv/site commit --quiet --message first
for port in 9001 9002; do systemd-run --quiet --unit "origin$port" headgate demo-origin --listen "127.0.0.1:$port"; done
sed -i 's|# url: .*|url: /srv/site|; s|^  state:|  verify: { openpgpKeyring: /etc/headgate/keys.asc }\n  state:|' /etc/headgate/edge.yaml
systemctl enable --now headgate
live
is '200 1.1' answer '%{http_code} %{http_version}' http://shop.localhost/
is '200 2' answer '%{http_code} %{http_version}' --http2 https://shop.localhost/

step 'the firewall works, its expressions compiled to machine code'
is 404 answer '%{http_code}' --user-agent 'sqlmap/1.7' https://shop.localhost/
is 403 answer '%{http_code}' "https://shop.localhost/?q=1%27%20OR%20%271%27=%271"
process=$(state_of MainPID)
grep -q ' rwxp ' "/proc/$process/maps"

step 'the process may do next to nothing'
grep -q "^Uid:.*$(id -u headgate)" "/proc/$process/status"
grep -q '^CapEff:.*0000000000000400$' "/proc/$process/status"
grep -q '^NoNewPrivs:.*1$' "/proc/$process/status"
grep -q '^Seccomp:.*2$' "/proc/$process/status"
is 700 stat -c %a /var/lib/headgate
grep -q '^Max open files *1048576 *1048576' "/proc/$process/limits"

step 'a signed commit goes live on reload, one that is not signed does not'
sed -i 's/hello/good evening/' /srv/site/policies/brand.yaml
git -C /srv/site commit --quiet --all --message second
systemctl reload headgate
live
answer '%header{x-storefront}' https://shop.localhost/ | grep 'good evening'
git -C /srv/site -c commit.gpgSign=false commit --quiet --allow-empty --message unsigned
systemctl reload headgate
refute live 20s
{ headgate status || true; } | grep CommitUnsigned
git -C /srv/site reset --quiet --hard HEAD~1
systemctl reload headgate
live

step 'kernel settings and the packet filter load'
/lib/systemd/systemd-sysctl --strict /usr/lib/sysctl.d/60-headgate.conf
is 16384 cat /proc/sys/net/core/somaxconn
is bbr cat /proc/sys/net/ipv4/tcp_congestion_control
nft -f /usr/share/headgate/headgate.nft
nft -f /usr/share/headgate/headgate.nft
is 200 answer '%{http_code}' https://shop.localhost/

step 'killed, it comes back'
kill -KILL "$process"
until [[ $(state_of NRestarts) == 1 && $(state_of ActiveState) == active ]]; do read -rt 0.2 <> <(:) || true; done
live
generation=$(answer '%header{headgate-generation}' https://shop.localhost/)
process=$(state_of MainPID)

step 'an upgrade runs the new program, and keeps the state and the settings'
apt-get -q install -y --no-install-recommends /packages/new.deb
is active systemctl is-active headgate
[[ $(state_of MainPID) != "$process" ]]
live
is "$generation" answer '%header{headgate-generation}' https://shop.localhost/
grep -q 'url: /srv/site' /etc/headgate/edge.yaml
is enabled systemctl is-enabled headgate
is "$old" headgate --version

step 'one that was stopped stays so'
systemctl stop headgate
is success state_of Result
apt-get -q install -y --no-install-recommends --allow-downgrades /packages/old.deb
is inactive systemctl is-active headgate
systemctl start headgate
live

step 'removing it stops it, purging takes all of it away'
apt-get -q remove -y headgate
refute systemctl is-active headgate
[[ -d /var/lib/headgate && -f /etc/headgate/edge.yaml && ! -e /usr/bin/headgate ]]
rm /etc/headgate/keys.asc
apt-get -q purge -y headgate
[[ ! -e /var/lib/headgate && ! -e /etc/headgate && ! -e /usr/lib/sysctl.d/60-headgate.conf ]]
refute systemctl cat headgate
is '' find / -xdev -name '*headgate*' -not -path '/packages/*' -not -path '/var/log/*' -not -path '/tmp/*' -not -path '/var/tmp/*'

echo '### PASSED'
