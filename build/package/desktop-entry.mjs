/**
 * The desktop entry of Linux packages: how menus, panels and links find the app.
 */
import { APP_ID } from './config.mjs'

/** `program` is the absolute path that starts the app. */
export function desktopEntry(program) {
  return `[Desktop Entry]
Type=Application
Name=Bowline
GenericName=Private network
Comment=Reach your devices from anywhere
Exec=${program} %U
Icon=${APP_ID}
Terminal=false
StartupNotify=true
StartupWMClass=Bowline
Categories=Network;
Keywords=vpn;tailnet;headscale;wireguard;
MimeType=x-scheme-handler/bowline;
`
}
