#include "pipeline/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "pipeline/source_text.h"
#include "pipeline/yaml_syntax.h"

namespace atelier {
namespace {

// Ends the reading after a mistake that was told.
struct EndOfReading {};

constexpr const char* open_quote_sentence =
    "syntax error: this quote is not closed; expected one at the end of the text";

// A list or map that is being filled.
struct Open {
  YamlNode node;
  std::optional<YamlNode::Key> key;            // of a map: its value comes next
  bool merges = false;                         // the value that comes next is a merge key's
  bool keeps = true;                           // the value that comes next is kept: false for a duplicate key
  std::unordered_map<std::string, int> lines;  // of the keys so far
};

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& file, const SourceText& text, MistakeList& mistakes)
      : file_(file), text_(text), mistakes_(mistakes) {}

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    // yaml-cpp also begins a document where a text of lesser indentation follows the end of the outermost list or map.
    if (has_document_mark(mark))
      tell(mark, "a second document; expected one document a file");
    else
      tell(mark, "syntax error: this belongs to nothing above; expected the indentation of what it belongs to");
    throw EndOfReading();
  }
  void OnDocumentEnd() override {}

  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    tell(mark, fmt::format("anchor '&{}'; expected no anchors: write a param and '${{name}}' instead", name));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (open_.empty() || !open_.back().merges) tell(mark, std::string(alias_sentence));
    place(made(mark, YamlNode::Kind::refused));
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { place(made(mark, YamlNode::Kind::empty)); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    // Quoted scalars come with the tag "!", as those do that the text tags with a lone exclamation mark.
    const std::size_t begin = byte_of(mark);
    const char first = begin < text_.text().size() ? text_.text()[begin] : '\0';
    if ((first == '"' || first == '\'') && !closes(text_.text(), begin)) {
      tell(mark, open_quote_sentence);
      throw EndOfReading();
    }
    const bool tagged_by_hand = tag == "!" && first == '!';
    if (tagged_by_hand || (tag != "!" && tag != "?")) tell_tag(mark, tag);
    YamlNode node = made(mark, YamlNode::Kind::scalar);
    node.text = value;
    node.quoted = tag == "!";
    place(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    begin(mark, tag, YamlNode::Kind::list);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    begin(mark, tag, YamlNode::Kind::map);
  }
  void OnMapEnd() override { end(); }

 private:
  std::size_t byte_of(const YAML::Mark& mark) const {
    return text_.offset(static_cast<std::size_t>(mark.line), static_cast<std::size_t>(mark.column));
  }

  // Whether a document begins here with "---", or after one that ended with "...".
  bool has_document_mark(const YAML::Mark& mark) const {
    auto row = static_cast<std::size_t>(mark.line);
    if (text_.line(row).starts_with("---")) return true;
    while (row > 0 && text_.line(row - 1).find_first_not_of(" \t") == std::string_view::npos) --row;
    return row > 0 && text_.line(row - 1).starts_with("...");
  }

  YamlNode made(const YAML::Mark& mark, YamlNode::Kind kind) const {
    const SourcePosition position = position_of(file_, text_, mark.line, mark.column);
    YamlNode node;
    node.kind = kind;
    node.line = position.line;
    node.column = position.column;
    return node;
  }

  void tell(const YAML::Mark& mark, std::string message) {
    mistakes_.add(position_of(file_, text_, mark.line, mark.column), std::move(message));
  }
  void tell_tag(const YAML::Mark& mark, const std::string& tag) {
    constexpr std::string_view of_yaml = "tag:yaml.org,2002:";  // what "!!" stands for
    const std::string written = tag.starts_with(of_yaml) ? "!!" + tag.substr(of_yaml.size()) : tag;
    tell(mark, fmt::format("tag '{}'; expected no tags: quotes make a value text", written));
  }

  void begin(const YAML::Mark& mark, const std::string& tag, YamlNode::Kind kind) {
    if (tag != "?" && !tag.empty()) tell_tag(mark, tag);
    if (static_cast<int>(open_.size()) == deepest_yaml_level) {
      tell(mark, fmt::format("lists and maps stand in each other; expected at most {} levels", deepest_yaml_level));
      throw EndOfReading();
    }
    open_.emplace_back();
    open_.back().node = made(mark, kind);
  }

  void end() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    place(std::move(node));
  }

  // The node belongs to what is open: as an item, a key or a value.
  void place(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& open = open_.back();
    if (open.node.kind == YamlNode::Kind::list) {
      open.node.items.push_back(std::move(node));
    } else if (!open.key) {
      begin_entry(open, std::move(node));
    } else {
      end_entry(open, std::move(node));
    }
  }

  void begin_entry(Open& open, YamlNode key) {
    const SourcePosition position{file_, key.line, key.column};
    open.key = YamlNode::Key{std::move(key.text), key.line, key.column};
    open.keeps = true;
    open.merges = key.kind == YamlNode::Kind::scalar && !key.quoted && open.key->name == "<<";
    if (open.merges) {
      mistakes_.add(position, "merge key '<<'; expected every key to be written out");
      open.keeps = false;
      open.node.incomplete = true;
    } else if (key.kind != YamlNode::Kind::scalar) {
      if (key.kind != YamlNode::Kind::refused) mistakes_.add(position, "a key that is no text; expected a name");
      open.keeps = false;
      open.node.incomplete = true;
    } else if (const auto [first, is_new] = open.lines.emplace(open.key->name, key.line); !is_new) {
      mistakes_.add(position, fmt::format("duplicate key '{}'; expected each key once, and line {} has it",
                                          open.key->name, first->second));
      open.keeps = false;
    }
  }

  void end_entry(Open& open, YamlNode value) {
    if (value.kind == YamlNode::Kind::empty) {
      value.line = open.key->line;
      value.column = open.key->column;
    }
    if (open.keeps) {
      open.node.keys.push_back(std::move(*open.key));
      open.node.items.push_back(std::move(value));
    }
    open.key.reset();
    open.merges = false;
  }

  const std::string& file_;
  const SourceText& text_;
  MistakeList& mistakes_;
  std::vector<Open> open_;
  YamlNode root_;
  int documents_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const auto found = std::ranges::find(keys, key, &Key::name);
  return found == keys.end() ? nullptr : &items[static_cast<std::size_t>(found - keys.begin())];
}

YamlTree read_yaml(const std::string& file, std::string_view bytes, MistakeList& mistakes) {
  mistakes.opened(file);
  YamlTree tree{file, {}, false};
  if (!check_text(file, bytes, mistakes)) return tree;
  const SourceText text(bytes);
  if (!check_tabs(file, text, mistakes)) return tree;
  TreeBuilder builder(file, text, mistakes);
  try {
    std::istringstream stream(text.text());
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    tree.root = builder.take();
    tree.whole = true;
  } catch (const EndOfReading&) {
  } catch (const YAML::Exception& error) {
    mistakes.add(position_of(file, text, error.mark.line, error.mark.column), syntax_sentence(error.msg));
  }
  return tree;
}

}  // namespace atelier
