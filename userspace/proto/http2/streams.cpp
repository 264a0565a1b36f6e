#include "proto/http2/streams.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace timesink::proto::http2 {
namespace {

bool is_grpc(const Block& block) {
    return block.content_type.starts_with("application/grpc") && !block.content_type.starts_with("application/grpc-web");
}

/// "/package.Service/Method"
void name_call(std::string_view path, Attributes& attributes) {
    attributes.emplace_back("rpc.system", "grpc");
    const std::size_t slash = path.rfind('/');
    if (path.empty() || slash == std::string_view::npos || slash == 0) {
        return;
    }
    constexpr std::size_t kLongest = 256;
    attributes.emplace_back("rpc.service", path.substr(1, std::min(slash - 1, kLongest)));
    attributes.emplace_back("rpc.method", path.substr(slash + 1, kLongest));
}

}  // namespace

std::string_view error_name(std::uint32_t code) {
    static constexpr std::array<std::string_view, 14> kNames = {"NO_ERROR",
                                                                "PROTOCOL_ERROR",
                                                                "INTERNAL_ERROR",
                                                                "FLOW_CONTROL_ERROR",
                                                                "SETTINGS_TIMEOUT",
                                                                "STREAM_CLOSED",
                                                                "FRAME_SIZE_ERROR",
                                                                "REFUSED_STREAM",
                                                                "CANCEL",
                                                                "COMPRESSION_ERROR",
                                                                "CONNECT_ERROR",
                                                                "ENHANCE_YOUR_CALM",
                                                                "INADEQUATE_SECURITY",
                                                                "HTTP_1_1_REQUIRED"};
    return code < kNames.size() ? kNames[code] : "UNKNOWN";
}

std::string_view grpc_status_name(int status) {
    static constexpr std::array<std::string_view, 17> kNames = {
        "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED"};
    return status >= 0 && static_cast<std::size_t>(status) < kNames.size() ? kNames[static_cast<std::size_t>(status)] : "UNKNOWN";
}

Stream* Streams::find(std::uint32_t id) {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
}

void Streams::adopt(std::uint32_t id) {
    Stream& stream = streams_[id];
    stream.correlation = Correlation{correlation_of_zero_ + id};
    stream.request_over = true;
    latest_ = std::max(latest_, id);
}

void Streams::request(std::uint32_t id, std::uint64_t begin, Block& block, Sink& sink) {
    if (streams_.size() >= kMaximumOpen) {
        give_up(streams_.begin(), sink);
    }
    latest_ = id;
    Stream& stream = streams_[id];
    stream.correlation = Correlation{correlation_of_zero_ + id};
    stream.grpc = is_grpc(block);
    Head head{.correlation = stream.correlation, .begin = begin, .operation = block.method, .target = block.path};
    head.answers_in_order = false;
    head.host = block.authority.empty() ? block.fields.host() : block.authority;
    head.target_truncated = block.path_truncated;
    block.fields.take_attributes(head.attributes);
    head.attributes.emplace_back("network.protocol.version", "2");
    if (stream.grpc) {
        name_call(block.path, head.attributes);
    }
    sink.head(head);
}

void Streams::response(Stream& stream, std::uint64_t begin, Block& block, Sink& sink) {
    stream.responded = true;
    stream.headless = (stream.headless || block.cut) && block.status == 0;  // neither interim nor trailers have its status
    stream.grpc = stream.grpc || is_grpc(block);
    stream.length_known = block.fields.length() == http1::Fields::Length::known;
    stream.announced_bytes = block.fields.content_length();
    Head head{.direction = Direction::response, .correlation = stream.correlation, .begin = begin};
    head.answers_in_order = false;
    head.status = block.status;
    block.fields.take_attributes(head.attributes);
    sink.head(head);
}

void Streams::request_over(std::uint32_t id, std::uint64_t end, bool complete, Sink& sink, std::uint64_t frame) {
    Stream* const stream = find(id);
    if (stream == nullptr || std::exchange(stream->request_over, true)) {
        return;
    }
    sink.end({.correlation = stream->correlation,
              .end = end,
              .bytes = stream->request_bytes,
              .body_bytes = stream->request_body,
              .complete = complete,
              .frame = frame});
}

void Streams::response_over(std::uint32_t id, std::uint64_t end, bool complete, int grpc_status, Sink& sink) {
    const auto found = streams_.find(id);
    if (found == streams_.end() || !found->second.responded) {
        return;
    }
    const Stream stream = found->second;
    End over{.direction = Direction::response,
             .correlation = stream.correlation,
             .end = end,
             .bytes = stream.response_bytes,
             .body_bytes = stream.response_body,
             .complete = complete && !stream.headless};
    if (grpc_status >= 0) {
        over.attributes.emplace_back("rpc.grpc.status_code", std::to_string(grpc_status));
        over.error = grpc_status == 0 ? "" : grpc_status_name(grpc_status);
    }
    sink.end(over);
    streams_.erase(found);
    if (complete) {
        give_up_doubtful(id, sink);
    }
}

void Streams::reset(std::uint32_t id, Direction by, std::uint64_t begin, std::uint64_t end, std::uint32_t code, Sink& sink) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) {
        return;
    }
    const Stream stream = found->second;
    const bool by_server = by == Direction::response;
    // A server's reset is its answer; a client's says that it waits no longer: the response is as long as it is.
    if (!stream.responded) {
        Head head{.direction = Direction::response, .correlation = stream.correlation, .begin = begin};
        head.answers_in_order = false;
        head.error = error_name(code);
        sink.head(head);
    }
    sink.end({.direction = Direction::response,
              .correlation = stream.correlation,
              .end = end,
              .bytes = stream.response_bytes,
              .body_bytes = stream.response_body,
              .error = std::string(error_name(code)),
              .complete = by_server && code != kHidden && !stream.headless});
    streams_.erase(found);
}

void Streams::doubt() {
    for (auto& [id, stream] : streams_) {
        stream.doubtful = true;
        stream.headless = stream.headless || !stream.responded;
    }
}

void Streams::unread(Direction direction, std::uint64_t position, Sink& sink) const {
    for (const auto& [id, stream] : streams_) {
        if (direction == Direction::request ? !stream.request_over : stream.responded) {
            sink.content({.direction = direction, .correlation = stream.correlation, .position = position, .bytes = {}});
        }
    }
}

void Streams::give_up(Map::iterator at, Sink& sink) {
    const Stream& stream = at->second;
    sink.end({.direction = Direction::response,
              .correlation = stream.correlation,
              .end = stream.response_seen > 0 ? stream.response_seen : heard_,
              .bytes = stream.response_bytes,
              .body_bytes = stream.response_body,
              .error = stream.responded ? "" : "lost",
              .complete = false});
    streams_.erase(at);
}

void Streams::give_up_doubtful(std::uint32_t before, Sink& sink) {
    for (auto at = streams_.begin(); at != streams_.end() && at->first < before;) {
        const auto here = at++;
        if (here->second.doubtful) {
            give_up(here, sink);
        }
    }
}

void Streams::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (direction == Direction::request) {
        for (auto& [id, stream] : streams_) {
            request_over(id, position, false, sink);
        }
        return;
    }
    while (!streams_.empty()) {
        give_up(streams_.begin(), sink);
    }
}

void Streams::credit_lost(Direction direction, std::uint64_t bytes) {
    const bool asks = direction == Direction::request;
    Stream* one = nullptr;
    for (auto& [id, stream] : streams_) {
        if (asks ? !stream.request_over : stream.responded) {
            if (one != nullptr) {
                return;
            }
            one = &stream;
        }
    }
    if (one != nullptr) {
        (asks ? one->request_bytes : one->response_bytes) += bytes;
        (asks ? one->request_body : one->response_body) += bytes;  // the framing among them is small beside it
    }
}

std::uint32_t Streams::alone() const {
    std::uint32_t one = 0;
    for (const auto& [id, stream] : streams_) {
        if (!stream.responded) {
            continue;
        }
        if (one != 0 || !stream.length_known) {
            return 0;
        }
        one = id;
    }
    return one;
}

}  // namespace timesink::proto::http2
