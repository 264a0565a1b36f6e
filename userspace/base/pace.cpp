#include "base/pace.hpp"

#include <thread>

namespace timesink {

void Pace::rest_if_due() {
    points_left_ = kPointsALook;
    if (hurried_ || std::chrono::steady_clock::now() - rested_ < kSlice) {
        return;
    }
    std::this_thread::sleep_for(kRest);
    rested_ = std::chrono::steady_clock::now();
}

}  // namespace timesink
