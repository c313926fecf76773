// fuzz: a right batch of a right pipeline with a module, customers in a CSV file and in a folder, over files in memory
// and the nodes of support/test_nodes.h. Targets put a stranger's file in the place of one of them.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz_target.h"
#include "pipeline/load.h"
#include "support/memory_files.h"
#include "support/test_nodes.h"

namespace atelier::fuzz {

struct PipelineWorld {
  MemoryFiles files;
  NodeRegistry registry = make_test_registry(files);

  PipelineWorld() {
    files.put("/p.yaml",
              "atelier: 1\n"
              "name: tale\n"
              "params: {times: 2, mark: \"!\", share: 0.5, names: [a, 'b']}\n"
              "inputs:\n"
              "  style: {type: text, scope: batch}\n"
              "  story: {type: text}\n"
              "steps:\n"
              "  prepared: {use: ./m.yaml, in: {raw: story}, with: {count: \"${times}\"}}\n"
              "  loud: {use: shout, in: {text: prepared.end}, with: {times: \"${times}\", mark: \"${mark} $${x}\"}}\n"
              "  all: {use: join, in: {parts: [loud, prepared.start, style]}, retries: 1, timeout: 2h}\n"
              "  mix: {use: blend, in: {base: all, parts: [loud]}, with: {weights: [\"${share}\"]}}\n"
              "outputs:\n"
              "  all: {from: all, path: \"${customer}/all.txt\"}\n"
              "  mix: {from: mix, path: \"${customer}/mix/\"}\n");
    files.put("/m.yaml",
              "atelier: 1\n"
              "params: {count: 1}\n"
              "inputs: {raw: {type: text}}\n"
              "steps:\n"
              "  cut: {use: split, in: {text: raw}, with: {at: \"${count}\"}}\n"
              "outputs: {start: {from: cut.head}, end: {from: cut.tail}}\n");
    files.put("/night.yaml",
              "atelier: 1\npipeline: p.yaml\ninputs: {style: s.txt}\nparams: {times: 3}\ncustomers: people.csv\n");
    files.put("/people.csv", "id,story,times\r\nanna,a.txt,3\r\n\"ben\",\"b.txt\",\r\n");
    for (const char* text : {"/s.txt", "/a.txt", "/b.txt", "/people/cleo/c.txt", "/people/dan/d.txt"})
      files.put(text, "text");
  }
};

// Every refusal names a place and says a sentence of one line.
inline void promise_told(const Mistakes& mistakes) {
  promise(!mistakes.empty());
  for (const auto& mistake : mistakes) {
    promise(!mistake.message.empty() && !mistake.position.file.empty());
    promise(mistake.position.line >= 0 && (mistake.position.line == 0) == (mistake.position.column == 0));
    promise(mistake.text().find('\n') == std::string::npos);
  }
}

// Every step stands after what feeds it, and each index leads somewhere.
inline void promise_sound(const Pipeline& pipeline) {
  for (std::size_t i = 0; i < pipeline.steps.size(); ++i)
    for (const auto& port : pipeline.steps[i].inputs)
      for (const auto& source : port.sources)
        promise(source.index < (source.kind == Source::Kind::step ? i : pipeline.inputs.size()));
  for (const auto& output : pipeline.outputs) promise(output.step < pipeline.steps.size() && output.type);
}

// Every customer has an id of its own and all of a customer's inputs; a batch has its own.
inline void promise_sound(const Batch& batch) {
  promise_sound(batch.pipeline);
  promise(!batch.customers.empty());
  std::vector<std::string> ids;
  for (const auto& customer : batch.customers) ids.push_back(customer.id);
  std::sort(ids.begin(), ids.end());
  promise(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  for (const auto& input : batch.pipeline.inputs) {
    if (input.scope == Scope::batch) promise(batch.inputs.contains(input.name));
    for (const auto& customer : batch.customers)
      promise(input.scope == Scope::batch || customer.inputs.contains(input.name));
  }
}

template <class T>
void promise_loaded(const Checked<T>& loaded) {
  if (loaded)
    promise_sound(*loaded);
  else
    promise_told(loaded.error());
}

}  // namespace atelier::fuzz
