/** The settings that can be changed here, what the deployment has set, and the configuration as a file. */
import { Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { settingsQuery } from "../../api/queries";
import { Page } from "../../parts/Page";
import { Failed, Loading } from "../../parts/States";
import { Transfer } from "./Transfer";
import { SettingsForm } from "./SettingsForm";

export function Settings() {
  const settings = useQuery(settingsQuery);
  return (
    <Page title="Settings" lead="What is changed here holds within seconds, in all of the gateway's processes.">
      {settings.error ? (
        <Failed error={settings.error} retry={() => void settings.refetch()} />
      ) : !settings.data ? (
        <Loading />
      ) : (
        <>
          <SettingsForm page={settings.data} />
          <Transfer />
          <Paper withBorder p="lg">
            <Stack gap="sm">
              <Title order={2} size="h4">
                Set by the deployment
              </Title>
              <Text size="sm" c="dimmed">
                Environment variables, read when a process starts: they cannot be changed here.
              </Text>
              <section className="scroller" tabIndex={0} aria-label="settings of the deployment">
                <Table className="list">
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th scope="col">Variable</Table.Th>
                      <Table.Th scope="col">Value</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {settings.data.deployment.map((each) => (
                      <Table.Tr key={each.variable}>
                        <Table.Td className="mono">{each.variable}</Table.Td>
                        <Table.Td className="mono">
                          {each.value === null || each.value === undefined ? "not set" : String(each.value)}
                        </Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </section>
            </Stack>
          </Paper>
        </>
      )}
    </Page>
  );
}
