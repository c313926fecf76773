// report: a curve as a small picture that says in words what it shows.
#pragma once
#include <string>

#include "report/thin_curve.h"

namespace atelier {

// `what`: "loss", `whose`: "person of anna". An <svg> with a title and a description.
std::string chart_html(const std::string& what, const std::string& whose, const ThinCurve& curve);

// "from 0.91 to 0.42 over steps 0 to 59, least 0.40": the curve in words.
std::string in_words(const ThinCurve& curve);

}  // namespace atelier
