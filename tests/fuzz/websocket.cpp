#include "proto/websocket/websocket.hpp"

#include <cstddef>
#include <cstdint>

#include "fuzz/conversation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = std::as_bytes(std::span(data, size));
    timesink::proto::fuzz::converse(*timesink::proto::websocket::make("/chat", "host", timesink::proto::Correlation{1}), input);
    return 0;
}
