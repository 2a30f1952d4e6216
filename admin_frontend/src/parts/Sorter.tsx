/** A column's heading; where the column can be sorted, a button that does it and then turns it round. */
import { Table, UnstyledButton } from "@mantine/core";
import { Icon } from "./Icon";

interface Props {
  title: string;
  className?: string;
  order?: "ascending" | "descending";
  turn?: (down: boolean) => void;
}

export function Sorter({ title, className, order, turn }: Props) {
  return (
    <Table.Th className={className} scope="col" role="columnheader" aria-sort={order}>
      {turn ? (
        <UnstyledButton className="sorter" onClick={() => turn(order === "ascending")}>
          {title}
          {order && <Icon name={order === "descending" ? "down" : "up"} size={12} />}
        </UnstyledButton>
      ) : (
        title
      )}
    </Table.Th>
  );
}
