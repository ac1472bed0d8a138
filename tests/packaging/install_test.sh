#!/bin/bash
# Installs a build into a folder of its own and looks at what lies there. Usage: install_test.sh BUILD_FOLDER
set -euo pipefail

build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

fail() {
    echo "install_test: $*" >&2
    exit 1
}

DESTDIR=$root cmake --install "$build" --prefix /usr >"$root/log" 2>&1 || fail "$(cat "$root/log")"

for file in sbin/pomona lib/systemd/system/pomona.service lib/sysusers.d/pomona.conf lib/tmpfiles.d/pomona.conf \
    share/bash-completion/completions/pomona share/man/man8/pomona.8 \
    share/pomona/nbi/README.md share/pomona/nbi/models.txt share/pomona/nbi/grub.nbi/grub/grub.cfg \
    share/pomona/nbi/ipxe.nbi/ipxe/boot.ipxe; do
    [ -s "$root/usr/$file" ] || fail "/usr/$file is missing"
done
settings=$root/etc/pomona/pomona.conf
[ -s "$settings" ] || fail "/etc/pomona/pomona.conf is missing"
[ -d "$settings.d" ] || fail "/etc/pomona/pomona.conf.d is missing"

# The sample is a file that the program reads, and that changes nothing.
# The host may lack this and that, which is not the matter here.
said=$("$root/usr/sbin/pomona" check --config "$settings" --user '' || true)
grep -q 'port 67' <<<"$said" || fail "check says nothing"
! grep -v '^[a-z]* *setting user:' <<<"$said" | grep -q '^ok *setting ' || fail "the sample sets something"

# The ready images lack the program that tools/make-loaders makes, and nothing else.
for image in grub ipxe; do
    said=$("$root/usr/sbin/pomona" image check "$root/usr/share/pomona/nbi/$image.nbi" 2>&1 || true)
    if ! grep -q 'the boot file for i386 is missing' <<<"$said" || ! grep -q ', 1 error, 0 warnings' <<<"$said"; then
        fail "$image.nbi: $said"
    fi
done

# Only settings that this systemd knows: it warns of others.
unit=$root/pomona.service
sed "s|^ExecStart=[^ ]*|ExecStart=$root/usr/sbin/pomona|; s|^Documentation=.*||" \
    "$root/usr/lib/systemd/system/pomona.service" >"$unit"
grep -q '^ExecStart=.*/pomona serve$' "$unit" || fail "the unit does not start the daemon"
if command -v systemd-analyze >/dev/null; then
    said=$(systemd-analyze verify --man=no --recursive-errors=no "$unit" 2>&1 || true)
    # Other units of this host are not ours to judge.
    ! grep -F "pomona.service:" <<<"$said" || fail "systemd does not understand the unit"
fi

# Users and folders, in a root of their own.
mkdir -p "$root/etc"
systemd-sysusers --root="$root" "$root/usr/lib/sysusers.d/pomona.conf" >/dev/null
grep -q '^pomona:' "$root/etc/passwd" || fail "sysusers makes no user"
systemd-tmpfiles --root="$root" --create "$root/usr/lib/tmpfiles.d/pomona.conf"
[ -d "$root/srv/netboot/NetBootSP0" ] || fail "tmpfiles makes no folder for images"

echo "install_test: all is there"
