#!/bin/sh
# Before the package goes ("remove" of dpkg, 0 of rpm; not before an update): the service goes first, with all that it changed on this computer.
case "$1" in
  remove | 0)
    if [ -e /etc/systemd/system/bowline.service ]; then
      node=$(command -v node || command -v nodejs) && "$node" /opt/Bowline/resources/cli/command.mjs service uninstall --from-package || echo "bowline: the service was not removed" >&2
    fi
    ;;
esac
exit 0
