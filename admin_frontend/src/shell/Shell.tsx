/** The frame around every page: where one can go, who one is, light or dark. */
import { ActionIcon, Button, Group, Text, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link, NavLink, Outlet, useLocation } from "react-router";
import { settingsQuery } from "../api/queries";
import { Icon, type IconName } from "../parts/Icon";
import { setZone, zone } from "../parts/formats";
import { LOOK_ONLY } from "../signin/rights";
import { useSession } from "../signin/session";

const browserZone = zone();

const PLACES: readonly [path: string, label: string, icon: IconName][] = [
  ["/", "Overview", "overview"],
  ["/endpoints", "Endpoints", "endpoints"],
  ["/virtual-models", "Virtual models", "models"],
  ["/patterns", "Patterns", "patterns"],
  ["/usage", "Usage and cost", "usage"],
  ["/activity", "Activity", "activity"],
  ["/api-keys", "API keys", "key"],
  ["/playground", "Playground", "playground"],
  ["/audit", "Audit", "audit"],
  ["/settings", "Settings", "settings"],
];

export function Shell() {
  const [opened, setOpened] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const first = useRef(true);

  useEffect(() => {
    setOpened(false);
    // a screen reader is told of the new page; not at the start, where the browser does it
    // nor where the page has put the focus into a field already
    const inside = main.current?.contains(document.activeElement);
    if (!first.current && pathname && !inside) main.current?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
  }, [pathname]);

  useEffect(() => {
    if (!opened) return;
    const close = (event: KeyboardEvent) => event.key === "Escape" && setOpened(false);
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [opened]);

  return (
    <div className="shell">
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <header className="top">
        <ActionIcon
          variant="default"
          size="lg"
          aria-label={opened ? "Close the menu" : "Open the menu"}
          aria-expanded={opened}
          onClick={() => setOpened(!opened)}
        >
          <Icon name={opened ? "close" : "menu"} />
        </ActionIcon>
        <Text fw={650}>Serverless Proxy</Text>
      </header>
      <aside className="side" data-open={opened} aria-label="Menu">
        <Link className="brand" to="/">
          <img src={`${import.meta.env.BASE_URL}favicon.svg`} width={26} height={26} alt="" />
          Serverless Proxy
        </Link>
        <nav aria-label="Pages">
          <ul className="nav">
            {PLACES.map(([path, label, icon]) => (
              <li key={path}>
                <NavLink to={path} end={path === "/"}>
                  <Icon name={icon} />
                  {label}
                </NavLink>
              </li>
            ))}
          </ul>
        </nav>
        <Foot />
      </aside>
      <main className="content" id="content" ref={main} tabIndex={-1}>
        <Outlet key={useShownZone()} />
      </main>
    </div>
  );
}

/** Times are shown in the zone that the settings name; another one means to draw everything anew. */
function useShownZone(): string {
  const settings = useQuery({ ...settingsQuery, staleTime: 60_000 });
  const wanted = settings.data?.settings.find((each) => each.name === "display_timezone")?.value;
  const named = typeof wanted === "string" && wanted ? wanted : browserZone;
  if (named !== zone()) setZone(named);
  return named;
}

function Foot() {
  const { user, role, signOut } = useSession();
  const { setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const dark = useComputedColorScheme("light", { getInitialValueInEffect: false }) === "dark";
  return (
    <footer className="side-foot">
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text size="sm" c="dimmed" truncate title={user}>
          {user}
        </Text>
        <ActionIcon
          variant="default"
          aria-label={dark ? "Use light colours" : "Use dark colours"}
          onClick={() => setColorScheme(dark ? "light" : "dark")}
        >
          <Icon name={dark ? "light" : "dark"} size={16} />
        </ActionIcon>
      </Group>
      {role === "viewer" && (
        <Text size="xs" c="dimmed" title={LOOK_ONLY}>
          Viewer: may look only
        </Text>
      )}
      {signOut && (
        <Button variant="default" size="xs" fullWidth mt="xs" onClick={signOut}>
          Sign out
        </Button>
      )}
    </footer>
  );
}
