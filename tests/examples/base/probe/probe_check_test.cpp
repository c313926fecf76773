#include "probe/probe_check.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "probe/probe_reading.h"
#include "probe/probe_targets.h"

namespace atelier::probe {
namespace {

TEST(ProbeCheck, CountsWhatIsReadAsShown) {
  const ProbeNet net = ProbeNet::random(1);
  RenderedSet set = rendered_set(1, 4);
  const auto scene = static_cast<std::int64_t>(attribute_named("scene"));
  const auto readings = read_pictures(net, set.pictures);
  for (std::int64_t i = 0; i < 4; ++i) {  // what the network says is right, but for the first and the untold second
    const auto& values = attributes()[static_cast<std::size_t>(scene)].values;
    const auto said = std::ranges::find(values, readings[static_cast<std::size_t>(i)].value_of("scene"));
    set.values[i][scene] = said - values.begin();
  }
  set.values[0][scene] = (set.values[0][scene].item<std::int64_t>() + 1) % 7;
  set.values[1][scene] = kUntold;
  const Check check = check_probe(net, set, Condition::as_rendered, 1);
  const auto& found = check.attributes[static_cast<std::size_t>(scene)];
  EXPECT_EQ(found.told, 3);
  EXPECT_EQ(found.right, 2);
  EXPECT_NEAR(to_json(check).at("accuracy").at("scene").get<double>(), 2.0 / 3, 1e-12);
}

TEST(ProbeCheck, SeesOtherPicturesWhereTheyAreMadeWorse) {
  const ProbeNet net = ProbeNet::random(1);
  const RenderedSet set = rendered_set(1, 4);
  const auto error = [&](Condition condition) { return check_probe(net, set, condition, 1).identity_error; };
  EXPECT_NE(error(Condition::as_rendered), error(Condition::augmented));
}

}  // namespace
}  // namespace atelier::probe
