/** The totals of a stretch of time, as cards. */
import type { Summary } from "../../api/usage";
import { Figure } from "../../parts/Figure";
import { count, dollars, glanceDollars, milliseconds, percent, plural, shortCount } from "../../parts/formats";

export function Totals({ summary }: { summary: Summary }) {
  const unpriced = summary.unpriced_count > 0 && `, ${plural(summary.unpriced_count, "attempt")} without prices`;
  return (
    <dl className="cards flat">
      <Figure
        label="Requests"
        value={shortCount(summary.client_request_count)}
        note={`${plural(summary.request_count, "attempt")} at backends`}
      />
      <Figure
        label="Tokens"
        value={shortCount(summary.total_tokens)}
        note={`${shortCount(summary.total_prompt_tokens)} in, ${shortCount(summary.total_completion_tokens)} out, ${shortCount(summary.total_cached_input_tokens)} cached`}
      />
      <Figure
        label="Cost"
        value={glanceDollars(summary.total_cost)}
        note={
          <>
            {dollars(summary.total_cached_cost)} of it for cached tokens
            {unpriced}
          </>
        }
      />
      <Figure
        label="Failed attempts"
        value={percent(summary.error_rate)}
        note={`${count(summary.failed_count)} failed, ${count(summary.truncated_count)} broke off`}
      />
      <Figure
        label="First token after"
        value={milliseconds(summary.ttft_p50_ms)}
        note={`half of them; 95 % within ${milliseconds(summary.ttft_p95_ms)}`}
      />
      <Figure label="Whole answer after" value={milliseconds(summary.avg_response_time_ms)} note="on average" />
    </dl>
  );
}
