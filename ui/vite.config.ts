import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Where `npm run dev` sends requests for data.
const server = process.env.MODELWATCH_URL ?? 'http://127.0.0.1:9090';

export default defineConfig({
  // Relative addresses, so that one build works under any path prefix: the
  // server writes the prefix into <base href>.
  base: './',
  plugins: [react()],
  // embed.go replaces this word in index.html by a fresh nonce each time.
  html: { cspNonce: 'MODELWATCH_NONCE' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    manifest: true,
    // scripts/size.mjs keeps the budget instead.
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api/', '/ai/', '/loki/', '/metrics', '/-/', '/federate'].map((path) => [
        path,
        { target: server, ws: path === '/loki/' },
      ]),
    ),
  },
});
