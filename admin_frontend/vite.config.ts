import { DEFAULT_THEME, convertCssVariables, defaultCssVariablesResolver, mergeMantineTheme } from "@mantine/core";
import react from "@vitejs/plugin-react";
import { type Plugin, defineConfig } from "vite";
import { theme } from "./src/theme.ts";

/** The theme's variables as a file: Mantine would write them into a style element, which the page's policy forbids. */
function mantineVariables(): Plugin {
  const name = "virtual:mantine-variables.css";
  return {
    name: "mantine-variables",
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load: (id) =>
      id === `\0${name}`
        ? convertCssVariables(defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme)), ":root")
        : undefined,
  };
}

export default defineConfig({
  base: "/proxy-dashboard/",
  plugins: [react(), mantineVariables()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ["/api", "/v1", "/health", "/session", "/proxy-dashboard/config.json"].map((path) => [
        path,
        "http://127.0.0.1:5001",
      ]),
    ),
  },
});
