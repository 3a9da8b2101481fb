/**
 * The app on a desktop of the test's own: a signed-in engine, a private session bus, and on it the one service that the test is about.
 */
import { LocalApi } from '../sim/demo/local-api.ts'
import { TestApp } from './app.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'
import { PrivateBus } from './desktop-bus.ts'

/** A service of the desktop, such as a panel or notifications. */
interface DesktopService {
  start(): Promise<void>
  stop(): void
}

export class DesktopLab<Service extends DesktopService> {
  readonly lab: DemoLab
  readonly api: LocalApi
  readonly bus: PrivateBus
  readonly host: Service

  private constructor(lab: DemoLab, bus: PrivateBus, host: Service) {
    this.lab = lab
    this.api = new LocalApi(lab.socketPath)
    this.bus = bus
    this.host = host
  }

  /** Signed in as `login`: the devices are of mia (laptop) and office (the others). */
  static async start<Service extends DesktopService>(service: (bus: PrivateBus) => Service, login = 'anna'): Promise<DesktopLab<Service>> {
    const lab = await startDemoLab()
    await lab.signIn(login)
    const bus = new PrivateBus()
    await bus.start()
    const host = service(bus)
    await host.start()
    return new DesktopLab(lab, bus, host)
  }

  /** The app over that engine, as GNOME would start it. */
  launch(...args: readonly string[]): Promise<TestApp> {
    return TestApp.launch({ args: [`--socket=${this.lab.socketPath}`, ...args], env: { DBUS_SESSION_BUS_ADDRESS: this.bus.address, XDG_CURRENT_DESKTOP: 'GNOME' } })
  }

  async stop(): Promise<void> {
    this.host.stop()
    await this.bus.stop()
    await this.lab.stop()
  }
}
