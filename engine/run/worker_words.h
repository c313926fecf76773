// run: the words between a run and its workers: JSON lines.
//
//   to a worker    {"do": "run", "order": {…}}, {"do": "stop"}; at the end of its input it ends at once
//   from a worker  {"tells": "alive"}
//                  {"tells": "progress", "fraction": 0.5, "what": "…"}
//                  {"tells": "metric", "name": "loss", "step": 3, "value": 0.1}
//                  {"tells": "warning", "text": "…"}
//                  {"tells": "preview", "name": "…", "path": "…"}: a PNG in the task's scratch folder
//                  {"tells": "looked_for_checkpoint", "found": true}, {"tells": "saves_checkpoint"}
//                  {"tells": "made", "outputs": {"port": {"digest": "…", "size": 1}}, "seconds": 1.5}, or
//                  {"tells": "failed", "kind": "input", "message": "…", "halts": false}
#pragma once
#include <string_view>

namespace atelier::worker_words {

inline constexpr std::string_view alive = "alive", progress = "progress", metric = "metric", warning = "warning",
                                  preview = "preview", looked_for_checkpoint = "looked_for_checkpoint",
                                  saves_checkpoint = "saves_checkpoint", made = "made", failed = "failed";
inline constexpr std::string_view run = "run", stop = "stop";

}  // namespace atelier::worker_words
