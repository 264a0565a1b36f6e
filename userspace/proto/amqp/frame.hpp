#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/parser.hpp"

namespace timesink::proto::amqp {

inline constexpr std::string_view kProtocolHeader = std::string_view("AMQP\0\0\x09\x01", 8);
inline constexpr std::size_t kHeaderBytes = 7;
inline constexpr char kFrameEnd = '\xce';
/// Peers agree on a size of frames: 128 KiB with RabbitMQ, unless set otherwise.
inline constexpr std::uint32_t kLargestFrame = std::uint32_t{16} * 1024 * 1024;

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

struct FrameHeader {
    FrameType type{};
    std::uint16_t channel = 0;
    std::uint32_t size = 0;  ///< of the payload, without the octet that ends the frame
    bool valid = false;
};
FrameHeader frame_header(std::string_view bytes);

/// Class and method in one number: 0x003c0028 is basic.publish.
using Method = std::uint32_t;
constexpr Method method(std::uint32_t of_class, std::uint32_t number) {
    return of_class << 16 | number;
}
namespace methods {
inline constexpr Method kConnectionStart = method(10, 10), kConnectionStartOk = method(10, 11), kConnectionTune = method(10, 30),
                        kConnectionTuneOk = method(10, 31), kConnectionOpen = method(10, 40), kConnectionClose = method(10, 50),
                        kChannelOpen = method(20, 10), kChannelClose = method(20, 40), kConfirmSelect = method(85, 10),
                        kBasicQos = method(60, 10), kBasicPublish = method(60, 40), kBasicReturn = method(60, 50),
                        kBasicDeliver = method(60, 60), kBasicGet = method(60, 70), kBasicGetOk = method(60, 71),
                        kBasicGetEmpty = method(60, 72), kBasicAck = method(60, 80), kBasicReject = method(60, 90),
                        kBasicNack = method(60, 120);
}  // namespace methods

/// "queue.declare"; empty: there is no such method.
std::string_view name_of(Method method);
/// A client's method that the server answers, unless told not to; 0: none. The number of the answer; of basic.get, get-ok's.
Method answer_to(Method method);
/// The method of a frame's payload; 0: cut off.
Method method_of(std::string_view payload);

/// What the application calls the place that a method is about; empty: none.
struct Place {
    std::string exchange;
    std::string routing_key;
    std::string queue;
    bool no_wait = false;
};
/// A part of a payload that may be recorded.
struct Told {
    std::string_view text;
    Kept kind;
};
/// `told`: gets what was read; may be null.
Place place_of(Method method, std::string_view payload, std::vector<Told>* told = nullptr);

/// basic.ack and nack.
struct Confirmation {
    std::uint64_t tag = 0;
    bool multiple = false;
    bool known = false;
};
Confirmation confirmation_of(std::string_view payload);

/// Whether bytes are whole frames up to their end, or begin with a frame of a known method that goes on behind them.
enum class Chain : std::uint8_t { no, may, whole };
Chain frame_chain(std::string_view bytes);

}  // namespace timesink::proto::amqp
