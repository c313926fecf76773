// The `portraits` command: pictures of people who do not exist, for training and trying a small base model.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "render/caption.h"
#include "render/picture_folder.h"
#include "run_program.h"

namespace atelier::render {
namespace {

struct Options {
  std::uint64_t count = 8, first = 0;
  std::int64_t seed = 0, person = 0;
  int size_px = 128;
  std::string style, scene = "park", object = "red balloon";
  bool captions = false;
  std::filesystem::path out;
};

// The value a word names, or a UserError that lists the words.
template <class E>
E parsed(const std::string& option, const std::string& word) {
  if (const auto value = value_of<E>(word)) return *value;
  throw UserError(fmt::format("{} is one of {}, and not '{}'", option, fmt::join(Words<E>::list, ", "), word));
}

MarkedObject parsed_object(const std::string& text) {
  if (const auto object = object_named(text)) return *object;
  std::vector<std::string_view> colours;
  for (const Colour colour : object_colours) colours.push_back(word_of(colour));
  throw UserError(fmt::format("--object is a colour ({}) and a thing ({}), as in \"red balloon\", and not '{}'",
                              fmt::join(colours, ", "), fmt::join(Words<ObjectKind>::list, ", "), text));
}

void written(Expected<void> result) {
  if (result) return;
  if (result.error().kind == ErrorKind::input) throw UserError(result.error().message);
  throw Fault(result.error().message);
}

FolderPlan plan_of(const Options& o) {
  FolderPlan plan;
  plan.first = o.first;
  plan.count = o.count;
  plan.size_px = o.size_px;
  plan.captions = o.captions;
  return plan;
}

void make_set(Files& files, const Options& o) {
  FolderPlan plan = plan_of(o);
  std::optional<Style> style;
  if (!o.style.empty()) style = parsed<Style>("--style", o.style);
  plan.captions = true;
  plan.attributes = o.out / "attributes.jsonl";
  plan.picture = [&](std::uint64_t i) { return random_picture(o.seed, i, style); };
  written(write_pictures(files, o.out, plan));
}

void make_style_pictures(Files& files, const Options& o) {
  FolderPlan plan = plan_of(o);
  const Style style = parsed<Style>("--style", o.style);
  plan.picture = [&](std::uint64_t i) { return random_picture(o.seed, i, style); };
  written(write_pictures(files, o.out, plan));
}

// The photos' folder holds photos only, so what was drawn is told in a file beside it.
void make_customer(Files& files, const Options& o) {
  FolderPlan plan = plan_of(o);
  const CustomerPlace place{parsed<SceneKind>("--scene", o.scene), parsed_object(o.object)};
  plan.picture = [&](std::uint64_t i) { return customer_picture(o.person, i, place); };
  written(write_pictures(files, o.out, plan));
  nlohmann::json told{
      {"number", o.person}, {"person", to_json(person_numbered(o.person))}, {"shots", nlohmann::json::array()}};
  for (std::uint64_t i = o.first; i < o.first + o.count; ++i) told["shots"].push_back(to_json(plan.picture(i).shot));
  auto beside = o.out.has_filename() ? o.out : o.out.parent_path();
  beside += ".json";
  written(write_file(files, beside, told.dump(2) + "\n"));
}

void print_words() {
  for (const auto& word : caption_words()) fmt::print("{}\n", word);
}

void add_folder_options(CLI::App& command, Options& o) {
  command.add_option("--count", o.count, "How many pictures")->capture_default_str()->check(CLI::Range(1, 1000000));
  command.add_option("--first", o.first, "The first picture's number")->capture_default_str();
  command.add_option("--size", o.size_px, "Width and height in pixels")
      ->capture_default_str()
      ->check(CLI::Range(32, 2048));
  command.add_option("OUT", o.out, "The folder to make")->required();
}

int run(int argc, char** argv) {
  const auto files = make_posix_files();
  Options o;
  CLI::App app{"Pictures of people who do not exist, with captions", "portraits"};
  app.require_subcommand(1);
  auto* set = app.add_subcommand("set", "Random people, shots and styles, with captions and attributes.jsonl");
  add_folder_options(*set, o);
  set->add_option("--seed", o.seed, "Another seed, other pictures")->capture_default_str();
  set->add_option("--style", o.style, "One style for all");
  set->callback([&] { make_set(*files, o); });
  auto* style = app.add_subcommand("style", "Random people in one style");
  add_folder_options(*style, o);
  style->add_option("--seed", o.seed, "Another seed, other pictures")->capture_default_str();
  style->add_option("--style", o.style, "The style")->required();
  style->add_flag("--captions", o.captions, "Write a .txt beside each picture");
  style->callback([&] { make_style_pictures(*files, o); });
  auto* customer = app.add_subcommand("customer", "Photos of one person at one place, and OUT.json");
  add_folder_options(*customer, o);
  customer->add_option("--person", o.person, "The person's number")->required();
  customer->add_option("--object", o.object, "What stands in the background of every photo")->capture_default_str();
  customer->add_option("--scene", o.scene, "Where")->capture_default_str();
  customer->add_flag("--captions", o.captions, "Write a .txt beside each photo");
  customer->callback([&] { make_customer(*files, o); });
  app.add_subcommand("words", "All words that captions can contain, one a line")->callback(print_words);
  return run_program(app, argc, argv);
}

}  // namespace
}  // namespace atelier::render

int main(int argc, char** argv) { return atelier::render::run(argc, argv); }
