// render: the picture of a person in a shot.
#pragma once
#include <opencv2/core.hpp>

#include "render/person.h"
#include "render/shot.h"

namespace atelier::render {

// CV_8UC3, RGB, size_px x size_px. A function of its arguments alone: the same bytes on every machine.
cv::Mat portrait_of(const Person& person, const Shot& shot, int size_px);

}  // namespace atelier::render
