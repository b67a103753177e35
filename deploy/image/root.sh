#!/bin/sh
# Lays out the root of the image: root.sh BINARY FOLDER. The Dockerfile and `cargo xtask packages` both use it.
set -eu
binary=$1 root=$2
mkdir -p "$root/usr/bin" "$root/etc/confluent/docker" "$root/etc/ssl/certs" "$root/var/lib/postern"
cp "$binary" "$root/usr/bin/postern"
chmod 0755 "$root/usr/bin/postern"
# The names by which charts and compose files start the images that this one replaces.
for name in kafka-rest-start schema-registry-start; do
    ln -sf postern "$root/usr/bin/$name"
done
ln -sf ../../../usr/bin/postern "$root/etc/confluent/docker/run"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
printf 'postern:x:1000:1000::/var/lib/postern:/sbin/nologin\n' > "$root/etc/passwd"
printf 'postern:x:1000:\n' > "$root/etc/group"
# Whoever the container runs as may write its data.
chmod 1777 "$root/var/lib/postern"
