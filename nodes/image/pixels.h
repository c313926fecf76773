// image: tensors as OpenCV sees them and back, without copying where that is possible, and OpenCV told to behave.
#pragma once
#include <opencv2/core.hpp>

#include "artifact/tensor.h"

namespace atelier {

// A view of u8 [H, W, 3] as CV_8UC3 or u8 [H, W] as CV_8UC1. It shares the tensor's bytes, which never change: not to
// be written to, and valid as long as the tensor.
cv::Mat mat_of(const Tensor& tensor);

// The tensor of a CV_8UC3 or CV_8UC1 matrix; keeps the matrix's memory where its rows are contiguous.
Tensor tensor_of(const cv::Mat& mat);

// OpenCV on the calling thread alone and without OpenCL, for the whole process: its thread pool is global, and results
// must not depend on who else runs. Every node that uses OpenCV calls it first and declares one thread.
void use_opencv_on_one_thread();

}  // namespace atelier
