import { defineConfig } from "vitest/config";

/**
 * Tests of rules, and of parts that keep to themselves: nothing of the product keeps state in its modules, so their files share a process and load the product
 * once, which is half of what they cost. Each of the others, which start programs and listen on ports, gets a process of its own.
 */
const SHARED = [
  "test/api/**/*.test.ts",
  "test/domain/**/*.test.ts",
  "test/identity/**/*.test.ts",
  "test/kubernetes/{admission,auth,bootstrap,cel,controllers,custom-resources,kubelet,network}/**/*.test.ts",
  "test/kubernetes/{patch,printers,registry,runtime,scheduler,schema,store,wire}/**/*.test.ts",
];

export default defineConfig({
  test: {
    // Far more than any test takes on a machine of its own: a busy one must not fail them.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: "shared", include: SHARED, isolate: false } },
      {
        extends: true,
        test: { name: "alone", include: ["test/**/*.test.ts"], exclude: ["**/node_modules/**", ...SHARED] },
      },
    ],
  },
});
