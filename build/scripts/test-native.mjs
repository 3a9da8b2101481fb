/**
 * Checks and tests of the Rust side: format, clippy without a warning, all crates' tests. Fails loudly, whatever fails.
 *
 *   --asan   also runs the tests of the crates with `unsafe` under AddressSanitizer (Linux; std is not rebuilt)
 *
 * The vendored smoltcp is tested with its own suite but neither formatted nor linted: its text is its authors'.
 */
import { existsSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const native = fileURLToPath(new URL('../../native/', import.meta.url))
const ours = ['dataplane', 'device', 'packet-loop', 'addon', 'netstack'].filter((crate) => existsSync(`${native}${crate}/Cargo.toml`))
/** Crates with `unsafe` of their own, and those that run it. */
const unsafeCrates = ['device', 'packet-loop', 'netstack'].filter((crate) => ours.includes(crate))
const packages = (crates) => crates.flatMap((crate) => ['-p', crate])

/** Runs cargo in native/ and ends the process when it fails. */
function cargo(words, env = {}) {
  console.log(`\n> cargo ${words.join(' ')}`)
  const { status, error } = spawnSync('cargo', words, { cwd: native, stdio: 'inherit', env: { ...process.env, ...env } })
  if (error || status !== 0) {
    console.error(`\nFAILED: cargo ${words.join(' ')} (${error?.message ?? `exit ${status}`})`)
    process.exit(1)
  }
}

cargo(['fmt', '--check', ...packages(ours)])
cargo(['clippy', '--locked', '--no-deps', '--all-targets', ...packages(ours), '--', '-D', 'warnings'])
// The filter is held to its oracle on a million packets here; a plain `cargo test` tries fewer.
cargo(['test', '--locked', ...packages(ours.filter((crate) => crate !== 'addon'))], { ORACLE_PACKETS: '1000000' })
cargo(['test', '--locked', '-p', 'smoltcp'])

if (process.argv.includes('--asan')) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    console.error('FAILED: --asan is for Linux on x64')
    process.exit(1)
  }
  const target = 'x86_64-unknown-linux-gnu'
  // RUSTC_BOOTSTRAP opens the sanitizer on a stable compiler; its own target folder keeps the other builds whole.
  cargo(['test', '--locked', '--target', target, '--target-dir', 'target/asan', ...packages(unsafeCrates)], {
    RUSTC_BOOTSTRAP: '1', RUSTFLAGS: '-Zsanitizer=address -Cdebug-assertions', ASAN_OPTIONS: 'detect_leaks=1',
  })
}
console.log('\nThe Rust side is in order.')
