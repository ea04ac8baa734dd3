import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.ts'],
    reporters: ['default'],
    testTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
