/** The models that an endpoint offers, each one step from becoming a virtual model. */
import { Alert, Anchor, Button, Group, List, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, ask, asRefusal } from "../../api/client";
import { Icon } from "../../parts/Icon";
import { plural } from "../../parts/formats";
import { Changing } from "../../signin/rights";

export function Discovery({ id }: { id: number }) {
  const [wanted, setWanted] = useState("");
  const discover = useMutation({
    mutationFn: async () =>
      (await ask(api.GET("/api/admin/endpoints/{id}/models", { params: { path: { id } } }))).models,
  });
  const found = (discover.data ?? []).filter((name) => name.toLowerCase().includes(wanted.toLowerCase()));
  const attempts = discover.error ? (asRefusal(discover.error).body.attempts as string[] | undefined) : undefined;
  return (
    <Stack gap="sm" align="stretch">
      <Group>
        <Button variant="default" loading={discover.isPending} onClick={() => discover.mutate()}>
          {discover.data ? "Ask again" : "Ask for its models"}
        </Button>
        {discover.data && (
          <Text size="sm" role="status">
            {plural(discover.data.length, "model")}
          </Text>
        )}
      </Group>
      {discover.error && (
        <Alert color="red" role="alert" title="It does not tell its models">
          <Text size="sm">{asRefusal(discover.error).message}</Text>
          {attempts && (
            <List size="sm" className="mono">
              {attempts.map((each) => (
                <List.Item key={each}>{each}</List.Item>
              ))}
            </List>
          )}
        </Alert>
      )}
      {discover.data && discover.data.length > 8 && (
        <TextInput
          aria-label="Search models"
          placeholder="Search"
          leftSection={<Icon name="search" size={16} />}
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
        />
      )}
      {discover.data && found.length === 0 && (
        <Text size="sm" c="dimmed">
          {wanted ? `Nothing matches “${wanted}”.` : "It lists none. A virtual model can name one that it does not list."}
        </Text>
      )}
      {found.length > 0 && (
        <ul className="found" aria-label="Models">
          {found.map((name) => (
            <li key={name}>
              <span className="mono">{name}</span>
              <Changing>
                <Anchor
                  component={Link}
                  size="sm"
                  to={`/virtual-models/new?endpoint=${id}&model=${encodeURIComponent(name)}`}
                  aria-label={`Make a virtual model of ${name}`}
                >
                  Make a virtual model
                </Anchor>
              </Changing>
            </li>
          ))}
        </ul>
      )}
    </Stack>
  );
}
