import "@mantine/core/styles.css";
import "virtual:mantine-variables.css";
import "./styles.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Refusal } from "./api/client";
import { BASE } from "./deployment";
import { Notices } from "./parts/Notices";
import { Routed } from "./routes";
import { Gate } from "./signin/Gate";
import { theme } from "./theme";

// the page's paths all lie under one prefix: outside of it, the admin API has routes of the same names
if (!location.pathname.startsWith(BASE)) history.replaceState(null, "", `${BASE}/${location.search}`);

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) =>
        failures < 2 && !(error instanceof Refusal && error.status >= 400 && error.status < 500),
      retryDelay: (failures) => 400 * 2 ** failures,
    },
  },
});

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queries}>
        <Notices>
          <Gate>
            <Routed />
          </Gate>
        </Notices>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
