/**
 * The window's entry: connects the store to the host and draws the app.
 */
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { hostApi } from './api.ts'
import { App } from './screens/App.tsx'
import { follow } from './state/store.ts'
import { Looks } from './ui/Looks.tsx'
import { ApiContext } from './ui/ApiContext.tsx'
import './tokens.css'
import './app.css'
import './networks.css'
import './frame.css'
import './devices.css'
import './device.css'
import './diagnose.css'
import './join.css'
import './palette.css'
import './settings.css'
import './transfers.css'
import './machine.css'
import './small.css'

const api = hostApi()
follow(api)
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <ApiContext value={api}>
      <Looks>{() => <App />}</Looks>
    </ApiContext>
  </StrictMode>,
)
