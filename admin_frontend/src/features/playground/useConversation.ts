/** A conversation that grows answer by answer; a part of one that broke off stays. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { type Answer, type Message, type Request, chat } from "./stream";

export interface Turn {
  message: Message;
  answer?: Answer;
}

type Ask = (messages: Message[]) => { request: Request; key: string };

export function useConversation(asked: Ask) {
  const queries = useQueryClient();
  const [turns, setTurns] = useState<Turn[]>([]);
  const [growing, setGrowing] = useState<Answer>();
  const [failure, setFailure] = useState<unknown>();
  const running = useRef<AbortController>(undefined);

  useEffect(() => () => running.current?.abort(), []);

  const ask = async (asking: Turn[]) => {
    const { request, key } = asked(asking.map((turn) => turn.message));
    setFailure(undefined);
    setTurns(asking);
    const controller = new AbortController();
    running.current = controller;
    let latest: Answer = { message: { role: "assistant", content: "" } };
    setGrowing(latest);
    try {
      latest = await chat(request, key, controller.signal, (answer) => {
        latest = answer;
        setGrowing(answer);
      });
      setTurns([...asking, { message: latest.message, answer: latest }]);
    } catch (broken) {
      if (latest.message.content || latest.message.reasoning) {
        setTurns([...asking, { message: latest.message, answer: { ...latest, finish: "broken off" } }]);
      }
      if (!controller.signal.aborted) setFailure(broken);
    } finally {
      setGrowing(undefined);
      running.current = undefined;
      void queries.invalidateQueries({ queryKey: ["activity"] });
      void queries.invalidateQueries({ queryKey: ["usage"] });
    }
  };

  return {
    turns,
    growing,
    failure,
    /** Asks on with these beside what was said; with none, the same again. */
    say: (messages: Message[]) => void ask([...turns, ...messages.map((message) => ({ message }))]),
    stop: () => running.current?.abort(),
    clear: () => {
      setTurns([]);
      setFailure(undefined);
    },
  };
}
