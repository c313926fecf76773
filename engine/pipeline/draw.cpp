#include "pipeline/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace atelier {
namespace {

// A module's frame, or the sheet that all stands on.
struct Frame {
  std::string name;                // "target_set"
  std::vector<std::size_t> steps;  // into Pipeline::steps
  std::vector<std::unique_ptr<Frame>> frames;

  Frame& within(std::string_view wanted) {
    const auto found = std::ranges::find_if(frames, [&](const auto& frame) { return frame->name == wanted; });
    if (found != frames.end()) return **found;
    frames.push_back(std::make_unique<Frame>());
    frames.back()->name = wanted;
    return *frames.back();
  }
};

Frame framed(const Pipeline& pipeline) {
  Frame sheet;
  for (std::size_t i = 0; i < pipeline.steps.size(); ++i) {
    std::string_view rest = pipeline.steps[i].name;
    Frame* frame = &sheet;
    for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      frame = &frame->within(rest.substr(0, dot));
      rest.remove_prefix(dot + 1);
    }
    frame->steps.push_back(i);
  }
  return sheet;
}

std::string_view own_name(std::string_view step) { return step.substr(step.rfind('.') + 1); }

// The kind of a box, and what it is drawn like.
enum class Box { input, step, device_step, output };

// What differs between the two languages.
class Pen {
 public:
  virtual ~Pen() = default;
  virtual void begin(const std::string& name) = 0;
  virtual void box(const std::string& id, Box kind, const std::vector<std::string>& lines, Scope scope) = 0;
  virtual void open_frame(const std::string& name) = 0;
  virtual void close_frame() = 0;
  virtual void edge(const std::string& from, const std::string& to, const std::string& port) = 0;
  virtual void end() = 0;
  std::string take() { return std::move(text_); }

 protected:
  void line(const std::string& text) { text_ += std::string(static_cast<std::size_t>(depth_) * 2, ' ') + text + "\n"; }
  void deeper() { ++depth_; }
  void higher() { --depth_; }
  int next_frame() { return frames_++; }

 private:
  std::string text_;
  int depth_ = 0, frames_ = 0;
};

class DotPen final : public Pen {
 public:
  void begin(const std::string& name) override {
    line(fmt::format("digraph {} {{", quoted(name)));
    deeper();
    line("rankdir=LR;");
    line("node [shape=box, style=\"rounded,filled\", fillcolor=white];");
  }
  void box(const std::string& id, Box kind, const std::vector<std::string>& lines, Scope scope) override {
    std::string label;
    for (const auto& text : lines) label += (label.empty() ? "" : "\\n") + escaped(text);
    std::string look;
    if (kind == Box::input) look = ", shape=folder, style=filled";
    if (kind == Box::output) look = ", shape=note, style=filled";
    if (kind == Box::device_step) look = ", penwidth=2";
    if (scope == Scope::batch) look += ", fillcolor=gray90";
    line(fmt::format("{} [label=\"{}\"{}];", id, label, look));
  }
  void open_frame(const std::string& name) override {
    line(fmt::format("subgraph cluster_{} {{", next_frame()));
    deeper();
    line(fmt::format("label={};", quoted(name)));
  }
  void close_frame() override {
    higher();
    line("}");
  }
  void edge(const std::string& from, const std::string& to, const std::string& port) override {
    line(port.empty() ? fmt::format("{} -> {};", from, to)
                      : fmt::format("{} -> {} [label={}];", from, to, quoted(port)));
  }
  void end() override { close_frame(); }

 private:
  static std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) {
      if (c == '"' || c == '\\') result += '\\';
      result += c == '\n' ? ' ' : c;
    }
    return result;
  }
  static std::string quoted(const std::string& text) { return fmt::format("\"{}\"", escaped(text)); }
};

class MermaidPen final : public Pen {
 public:
  void begin(const std::string&) override {
    line("flowchart LR");
    deeper();
    line("classDef shared fill:#e5e5e5;");
    line("classDef device stroke-width:3px;");
  }
  void box(const std::string& id, Box kind, const std::vector<std::string>& lines, Scope scope) override {
    std::string label;
    for (const auto& text : lines) label += (label.empty() ? "" : "<br>") + escaped(text);
    const std::string text = fmt::format("\"{}\"", label);
    if (kind == Box::input)
      line(fmt::format("{}[/{}/]", id, text));
    else if (kind == Box::output)
      line(fmt::format("{}[({})]", id, text));
    else
      line(fmt::format("{}[{}]", id, text));
    if (scope == Scope::batch) line(fmt::format("class {} shared;", id));
    if (kind == Box::device_step) line(fmt::format("class {} device;", id));
  }
  void open_frame(const std::string& name) override {
    line(fmt::format("subgraph f{}[\"{}\"]", next_frame(), escaped(name)));
    deeper();
  }
  void close_frame() override {
    higher();
    line("end");
  }
  void edge(const std::string& from, const std::string& to, const std::string& port) override {
    line(port.empty() ? fmt::format("{} --> {}", from, to)
                      : fmt::format("{} -- \"{}\" --> {}", from, escaped(port), to));
  }
  void end() override {}

 private:
  static std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) {
      if (c == '"')
        result += "#quot;";
      else if (c == '<')
        result += "#lt;";
      else
        result += c == '\n' ? ' ' : c;
    }
    return result;
  }
};

void draw_frame(const Pipeline& pipeline, const Frame& frame, Pen& pen) {
  for (const std::size_t i : frame.steps) {
    const PipelineStep& step = pipeline.steps[i];
    const NodeSpec& spec = step.node->spec();
    std::vector<std::string> lines{std::string(own_name(step.name))};
    if (lines.front() != spec.name) lines.push_back(spec.name);
    pen.box(fmt::format("s{}", i), spec.place == Place::device ? Box::device_step : Box::step, lines, step.scope);
  }
  for (const auto& inner : frame.frames) {
    pen.open_frame(inner->name);
    draw_frame(pipeline, *inner, pen);
    pen.close_frame();
  }
}

// The port on which an artifact leaves, then the one on which it arrives: both are said where they are not plain.
std::string edge_label(const Pipeline& pipeline, const Source& source, const PortSpec& port) {
  if (source.kind == Source::Kind::input) return port.name;
  const PortSpec* main = pipeline.steps[source.index].node->spec().main_output();
  const bool plain = source.port == port.name || (main && main->name == source.port);
  return plain ? port.name : fmt::format("{} → {}", source.port, port.name);
}

std::string draw(const Pipeline& pipeline, Pen& pen) {
  pen.begin(pipeline.name);
  for (std::size_t i = 0; i < pipeline.inputs.size(); ++i) {
    const PipelineInput& input = pipeline.inputs[i];
    pen.box(fmt::format("i{}", i), Box::input, {input.name, std::string(input.type->name())}, input.scope);
  }
  draw_frame(pipeline, framed(pipeline), pen);
  for (std::size_t i = 0; i < pipeline.outputs.size(); ++i) {
    const PipelineOutput& output = pipeline.outputs[i];
    pen.box(fmt::format("o{}", i), Box::output, {output.name, show(output.path)}, output.scope);
  }
  for (std::size_t i = 0; i < pipeline.steps.size(); ++i)
    for (const auto& port : pipeline.steps[i].inputs)
      for (const auto& source : port.sources)
        pen.edge(fmt::format("{}{}", source.kind == Source::Kind::input ? "i" : "s", source.index),
                 fmt::format("s{}", i), edge_label(pipeline, source, *port.spec));
  for (std::size_t i = 0; i < pipeline.outputs.size(); ++i) {
    const PipelineOutput& output = pipeline.outputs[i];
    const PortSpec* main = pipeline.steps[output.step].node->spec().main_output();
    const bool plain = main && main->name == output.port;
    pen.edge(fmt::format("s{}", output.step), fmt::format("o{}", i), plain ? "" : output.port);
  }
  pen.end();
  return pen.take();
}

}  // namespace

std::string show(const Template& text) {
  std::string all;
  for (const auto& piece : text.pieces) all += piece.is_name ? fmt::format("${{{}}}", piece.text) : piece.text;
  return all;
}

std::string draw_dot(const Pipeline& pipeline) {
  DotPen pen;
  return draw(pipeline, pen);
}

std::string draw_mermaid(const Pipeline& pipeline) {
  MermaidPen pen;
  return draw(pipeline, pen);
}

}  // namespace atelier
