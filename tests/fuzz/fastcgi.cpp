#include "proto/fastcgi/fastcgi.hpp"

#include <cstddef>
#include <cstdint>

#include "fuzz/conversation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = std::as_bytes(std::span(data, size));
    for (const auto direction : {timesink::proto::Direction::request, timesink::proto::Direction::response}) {
        (void)timesink::proto::fastcgi::detect(direction, input);
    }
    timesink::proto::fuzz::converse(*timesink::proto::fastcgi::make(), input);
    return 0;
}
