/** What every page opens with: its title in the document and on the screen, a sentence, and its actions. */
import { Anchor, Group, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { Link } from "react-router";
import { Icon } from "./Icon";

interface Props {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  /** The list that this page belongs to. */
  back?: { to: string; label: string };
  children: ReactNode;
}

export function Page({ title, lead, actions, back, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Serverless Proxy`;
  }, [title]);
  return (
    <Stack gap="lg">
      <div>
        {back && (
          <Anchor component={Link} to={back.to} size="sm" className="back">
            <Icon name="left" size={14} /> {back.label}
          </Anchor>
        )}
        <Group justify="space-between" align="flex-start" gap="sm">
          <div>
            <Title order={1} size="h2">
              {title}
            </Title>
            {lead && (
              <Text c="dimmed" maw={760}>
                {lead}
              </Text>
            )}
          </div>
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
      </div>
      {children}
    </Stack>
  );
}
