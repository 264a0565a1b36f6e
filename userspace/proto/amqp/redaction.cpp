#include "proto/amqp/redaction.hpp"

namespace timesink::proto::amqp {

void keep(const Frame& frame, Method method, Sink& sink) {
    constexpr std::size_t kNumber = 4;
    std::size_t fixed = kNumber;
    switch (method) {
        case methods::kBasicAck:
        case methods::kBasicNack:
            fixed += 8 + 1;  // tag, bits
            break;
        case methods::kChannelClose:
        case methods::kConnectionClose:
            fixed += 2;  // code
            break;
        default:
            break;
    }
    proto::keep(frame, frame.payload.substr(0, fixed), Kept::structure, sink);
    std::vector<Told> told;
    (void)place_of(method, frame.payload, &told);
    for (const Told& part : told) {
        proto::keep(frame, part.text, part.kind, sink);
    }
}

}  // namespace timesink::proto::amqp
