#include "render/picture_folder.h"

#include <fmt/format.h>
#include <atomic>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "render/portrait.h"

namespace atelier::render {
namespace {

// Written as it stands and not flushed: a set of thousands that was cut off is made again in a minute.
Expected<void> write_plain(Files& files, const std::filesystem::path& path, std::span<const std::byte> bytes) {
  auto writer = files.create(path);
  if (!writer) return tl::unexpected(writer.error());
  if (auto written = (*writer)->write_at(0, bytes); !written) return written;
  return (*writer)->close();
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<unsigned char> png_of(const cv::Mat& rgb) {
  cv::Mat bgr(rgb.size(), CV_8UC3);
  for (int y = 0; y < rgb.rows; ++y)
    for (int x = 0; x < rgb.cols; ++x) {
      const auto& p = rgb.at<cv::Vec3b>(y, x);
      bgr.at<cv::Vec3b>(y, x) = {p[2], p[1], p[0]};
    }
  std::vector<unsigned char> png;
  cv::imencode(".png", bgr, png, {cv::IMWRITE_PNG_COMPRESSION, 4});
  return png;
}

// Writes one picture; gives back its line of attributes.
Expected<std::string> write_one(Files& files, const std::filesystem::path& folder, const FolderPlan& plan,
                                std::uint64_t index) {
  const Picture picture = plan.picture(index);
  const std::string name = fmt::format("{:06}", index);
  const auto png = png_of(portrait_of(picture.person, picture.shot, plan.size_px));
  if (auto done = write_plain(files, folder / (name + ".png"), std::as_bytes(std::span(png))); !done)
    return tl::unexpected(done.error());
  if (plan.captions)
    if (auto done = write_plain(files, folder / (name + ".txt"), bytes_of(picture.caption + "\n")); !done)
      return tl::unexpected(done.error());
  const nlohmann::json line{{"file", name + ".png"},
                            {"caption", picture.caption},
                            {"person", to_json(picture.person)},
                            {"shot", to_json(picture.shot)}};
  return line.dump() + "\n";
}

Expected<void> refuse_unless_empty(Files& files, const std::filesystem::path& folder) {
  const auto stat = files.stat(folder);
  if (!stat) return tl::unexpected(stat.error());
  if (!*stat) return {};
  if ((*stat)->type != FileStat::Type::folder) return failure(fmt::format("{} is not a folder", folder.string()));
  const auto names = files.list(folder);
  if (!names) return tl::unexpected(names.error());
  if (!names->empty())
    return failure(fmt::format("{} is not empty; remove it or name another folder", folder.string()));
  return {};
}

}  // namespace

Expected<void> write_pictures(Files& files, const std::filesystem::path& folder, const FolderPlan& plan) {
  if (auto empty = refuse_unless_empty(files, folder); !empty) return empty;
  if (auto made = files.make_folders(folder); !made) return made;
  std::vector<std::string> lines(plan.count);
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::optional<Error> error;  // the first
  const auto work = [&] {
    for (std::uint64_t i = next++; i < plan.count; i = next++) {
      auto line = write_one(files, folder, plan, plan.first + i);
      const std::lock_guard lock(mutex);
      if (error) return;
      if (line)
        lines[i] = std::move(*line);
      else
        error = line.error();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < plan.threads; ++i) threads.emplace_back(work);
    work();
  }
  if (error) return tl::unexpected(*error);
  if (plan.attributes.empty()) return {};
  std::string all;
  for (const auto& line : lines) all += line;
  return write_plain(files, plan.attributes, bytes_of(all));
}

}  // namespace atelier::render
