#include "run/worker.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/try_again.h"
#include "run/error_names.h"
#include "run/task_inputs.h"
#include "run/worker_words.h"

namespace atelier {
namespace {

using Json = nlohmann::json;
namespace words = worker_words;
constexpr std::chrono::seconds between_signs{1};

// What a node asks and tells in a worker.
class WorkerContext final : public Context {
 public:
  WorkerContext(const WorkerSeams& seams, const JobOrder& order, const std::atomic<bool>& stop)
      : seams_(seams), order_(order), stop_(stop) {}

  bool stop_requested() const override {
    tell_alive();
    return stop_.load();
  }
  int threads() const override { return order_.threads; }
  int times_out_of_memory() const override { return order_.times_out_of_memory; }
  std::filesystem::path scratch() override { return order_.scratch; }
  void progress(double fraction, std::string_view what) override {
    tell({{"tells", words::progress}, {"fraction", fraction}, {"what", what}});
  }
  void metric(std::string_view name, std::int64_t step, double value) override {
    tell({{"tells", words::metric}, {"name", name}, {"step", step}, {"value", value}});
  }
  void warn(std::string text) override { tell({{"tells", words::warning}, {"text", std::move(text)}}); }
  // A preview that cannot be handed over is one that the report lacks.
  void preview(std::string_view name, std::span<const std::byte> png) override {
    const std::string file = fmt::format(".preview-{}.png", previews_.fetch_add(1));
    if (write_file(seams_.files, order_.scratch / file, png))
      tell({{"tells", words::preview}, {"name", name}, {"path", file}});
  }
  std::optional<Artifact> load_checkpoint() override {
    auto state = seams_.store.checkpoint(order_.key);
    tell({{"tells", words::looked_for_checkpoint}, {"found", state.has_value()}});
    return state;
  }
  Expected<void> save_checkpoint(const Artifact& state) override {
    tell({{"tells", words::saves_checkpoint}});
    return seams_.store.put_checkpoint(order_.key, state);
  }

 private:
  void tell(const Json& told) const { seams_.write_line(told.dump(-1, ' ', false, Json::error_handler_t::replace)); }
  void tell_alive() const {
    const auto now = seams_.clock.now();
    auto last = told_alive_.load();
    if (last != Clock::Instant{} && now - last < between_signs) return;
    if (told_alive_.compare_exchange_strong(last, now)) tell({{"tells", words::alive}});
  }

  const WorkerSeams& seams_;
  const JobOrder& order_;
  const std::atomic<bool>& stop_;
  mutable std::atomic<Clock::Instant> told_alive_{Clock::Instant{}};
  std::atomic<int> previews_{0};
};

class WorkerLoop {
 public:
  explicit WorkerLoop(const WorkerSeams& seams) : seams_(seams) {}

  bool run() {
    std::thread reader([this] { read(); });
    for (std::optional<Json> order; (order = next());) answer(*order);
    reader.join();
    return !misunderstood_;
  }

 private:
  void read() {
    while (const auto line = seams_.read_line()) {
      const Json told = Json::parse(*line, nullptr, false);
      const std::string what = told.is_object() ? told.value("do", std::string()) : std::string();
      const std::lock_guard hold(mutex_);
      if (what == words::stop) {
        stop_ = true;
      } else if (what == words::run && told.contains("order")) {
        stop_ = false;
        orders_.push_back(told["order"]);
        wake_.notify_one();
      } else {
        misunderstood_ = true;
        break;
      }
    }
    const std::lock_guard hold(mutex_);
    ended_ = true;
    wake_.notify_one();
    if (busy_ && seams_.abandoned) seams_.abandoned();
  }

  std::optional<Json> next() {
    std::unique_lock hold(mutex_);
    busy_ = false;
    wake_.wait(hold, [this] { return ended_ || !orders_.empty(); });
    if (ended_) return {};
    auto order = std::move(orders_.front());
    orders_.pop_front();
    busy_ = true;
    return order;
  }

  void answer(const Json& json) {
    Json told;
    try {
      const JobOrder order = order_from_json(json, seams_.registry);
      told = carried_out(order);
    } catch (const std::bad_alloc&) {
      told = failed({ErrorKind::out_of_memory, "out of memory"});
    } catch (const UserError& error) {
      told = failed({ErrorKind::input, error.what()});
    } catch (const std::exception& error) {
      told = failed({ErrorKind::fault, error.what()});
    }
    seams_.write_line(told.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  Json carried_out(const JobOrder& order) {
    const OrderGraph graph(order, seams_.registry);
    const TaskInputs opener(graph, seams_.store, seams_.registry);
    WorkerContext context(seams_, order, stop_);
    const auto inputs = opener.open(TaskId{0}, context, seams_.device);
    if (!inputs) return failed(inputs.error());
    const auto began = seams_.clock.now();
    const Node& node = graph.node(TaskId{0});
    const auto outputs = run_node(node, seams_.registry, Job{*inputs, graph.params(TaskId{0}), context}, seams_.device);
    if (!outputs) return failed(outputs.error());
    const double seconds = std::chrono::duration<double>(seams_.clock.now() - began).count();
    if (node.spec().keep != Keep::recipe) {
      Json provenance = order.provenance;
      provenance["seconds"] = seconds;
      const auto put = try_again([&] { return seams_.store.put(order.key, *outputs, provenance); });
      if (!put) return failed(put.error(), true);
    }
    return made(*outputs, seconds);
  }

  static Json made(const Outputs& outputs, double seconds) {
    Json told{{"tells", words::made}, {"outputs", Json::object()}, {"seconds", seconds}};
    for (const auto& [port, artifact] : outputs)
      told["outputs"][port] = {{"digest", digest_of(artifact).hex()}, {"size", artifact.size_bytes()}};
    return told;
  }

  Json failed(const Error& error, bool halts = false) {
    if (error.kind == ErrorKind::out_of_memory) seams_.device.cache().evict_unused();
    return {{"tells", words::failed}, {"kind", name_of(error.kind)}, {"message", error.message}, {"halts", halts}};
  }

  const WorkerSeams& seams_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Json> orders_;
  bool ended_ = false, busy_ = false, misunderstood_ = false;
  std::atomic<bool> stop_{false};
};

}  // namespace

bool carry_out_orders(const WorkerSeams& seams) { return WorkerLoop(seams).run(); }

}  // namespace atelier
