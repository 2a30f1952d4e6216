/** Every page and its address; each is read when it is first visited. */
import { RouterProvider, createBrowserRouter, useRouteError } from "react-router";
import { BASE } from "./deployment";
import { Page } from "./parts/Page";
import { Empty, Failed, Loading } from "./parts/States";
import { Shell } from "./shell/Shell";

let router: ReturnType<typeof createBrowserRouter> | undefined;

/** Made when somebody is let in: a sign-in changes the address before. */
export function Routed() {
  router ??= makeRouter();
  return <RouterProvider router={router} />;
}

function makeRouter() {
  return createBrowserRouter(
    [
      {
        element: <Shell />,
        children: [
          {
            errorElement: <Broken />,
            hydrateFallbackElement: <Loading />,
            children: [
              { index: true, lazy: async () => ({ Component: (await import("./features/overview/Overview")).Overview }) },
              {
                path: "endpoints",
                lazy: async () => ({ Component: (await import("./features/endpoints/Endpoints")).Endpoints }),
              },
              {
                path: "endpoints/:id",
                lazy: async () => ({ Component: (await import("./features/endpoints/EndpointPage")).EndpointPage }),
              },
              {
                path: "virtual-models",
                lazy: async () => ({ Component: (await import("./features/models/VirtualModels")).VirtualModels }),
              },
              {
                path: "virtual-models/:id",
                lazy: async () => ({ Component: (await import("./features/models/VirtualModelPage")).VirtualModelPage }),
              },
              {
                path: "patterns",
                lazy: async () => ({ Component: (await import("./features/patterns/Patterns")).Patterns }),
              },
              {
                path: "patterns/:id",
                lazy: async () => ({ Component: (await import("./features/patterns/PatternPage")).PatternPage }),
              },
              {
                path: "api-keys",
                lazy: async () => ({ Component: (await import("./features/keys/ApiKeys")).ApiKeys }),
              },
              {
                path: "api-keys/:id",
                lazy: async () => ({ Component: (await import("./features/keys/ApiKeyPage")).ApiKeyPage }),
              },
              {
                path: "activity",
                lazy: async () => ({ Component: (await import("./features/activity/Activity")).Activity }),
              },
              {
                path: "activity/:id",
                lazy: async () => ({ Component: (await import("./features/activity/RequestPage")).RequestPage }),
              },
              {
                path: "playground",
                lazy: async () => ({ Component: (await import("./features/playground/Playground")).Playground }),
              },
              {
                path: "usage",
                lazy: async () => ({ Component: (await import("./features/usage/Usage")).Usage }),
              },
              { path: "audit", lazy: async () => ({ Component: (await import("./features/audit/Audit")).Audit }) },
              {
                path: "settings",
                lazy: async () => ({ Component: (await import("./features/settings/Settings")).Settings }),
              },
              { path: "*", element: <Nowhere /> },
            ],
          },
        ],
      },
    ],
    { basename: BASE },
  );
}

function Nowhere() {
  return (
    <Page title="Not found">
      <Empty icon="search" title="There is no such page">
        The menu has all of them.
      </Empty>
    </Page>
  );
}

function Broken() {
  const error = useRouteError();
  return (
    <Page title="Something broke">
      <Failed error={error} retry={() => location.reload()} />
    </Page>
  );
}
