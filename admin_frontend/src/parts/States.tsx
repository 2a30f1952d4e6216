/** What stands where the content would: while it is read, when it could not be, and when there is none. */
import { Alert, Button, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { asRefusal } from "../api/client";
import { Icon, type IconName } from "./Icon";

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const refusal = asRefusal(error);
  return (
    <Alert color="red" title={refusal.status === 404 ? "Not found" : "This could not be read"} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{refusal.message}</Text>
        {retry && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

export function Loading({ rows = 5 }: { rows?: number }) {
  return (
    <Stack gap="sm" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} h={row === 0 ? 22 : 38} radius="sm" />
      ))}
    </Stack>
  );
}

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

export function Empty({ icon, title, children, action }: EmptyProps) {
  return (
    <Paper withBorder p="xl" className="empty">
      <Stack align="center" gap="xs">
        <span className="empty-icon">
          <Icon name={icon} size={26} />
        </span>
        <Title order={2} size="h4" ta="center">
          {title}
        </Title>
        {children && (
          <Text c="dimmed" ta="center" maw={520}>
            {children}
          </Text>
        )}
        {action}
      </Stack>
    </Paper>
  );
}
