#include "redact/body_mask.hpp"

#include <utility>

#include "base/ascii.hpp"
#include "genai/api.hpp"
#include "genai/inflate.hpp"
#include "proto/lines.hpp"
#include "redact/compress.hpp"
#include "redact/masks.hpp"
#include "request/storage_watch.hpp"
#include "s3/answer.hpp"

namespace timesink::redact {

std::unique_ptr<BodyMask> BodyMask::of_request(const proto::Head& head, const Secret& secret) {
    if (request::StorageWatch::of_request(head) != nullptr) {
        std::unique_ptr<BodyMask> mask(new BodyMask(secret));
        mask->storage_ = true;
        return mask;
    }
    const bool path_unknown = head.target.empty() && (head.operation.empty() || head.operation == "POST");
    if (genai::api_of(head.operation, head.target) == genai::Api::none && !path_unknown) {
        return nullptr;
    }
    std::unique_ptr<BodyMask> mask(new BodyMask(secret));
    mask->model_ = true;
    mask->request_encoded_ = !proto::coding_of(head.attributes, "http.request.header.content-encoding").empty();
    return mask;
}

std::unique_ptr<BodyMask> BodyMask::of_response(const proto::Head& head, const Secret& secret) {
    if (!proto::EventStream::kind_of(lower(proto::value_of(head.attributes, "http.response.header.content-type")))) {
        return nullptr;
    }
    std::unique_ptr<BodyMask> mask(new BodyMask(secret));
    mask->response(head);
    return mask;
}

void BodyMask::response(const proto::Head& head) {
    encoding_ = proto::coding_of(head.attributes, "http.response.header.content-encoding");
    const std::string type = lower(proto::value_of(head.attributes, "http.response.header.content-type"));
    const auto kind = proto::EventStream::kind_of(type);
    line_ = kind == proto::EventStream::Kind::lines ? Line::data : Line::name;
    within_ = kind == proto::EventStream::Kind::server_sent ? Form::events
              : kind == proto::EventStream::Kind::lines     ? Form::lines
              : type.empty()                                ? Form::unknown
                                                            : Form::json;
    form_ = encoding_.empty() ? within_ : Form::encoded;
}

/// As request::AnswerWatch does where header fields are not known.
void BodyMask::look_at_begin(std::string_view text) {
    if (form_ != Form::unknown) {
        return;
    }
    form_ = Form::json;
    if (text.starts_with("data: ") || text.starts_with("event: ")) {
        form_ = Form::events;
    } else if (text.starts_with("\x1f\x8b")) {
        form_ = Form::encoded;
        encoding_ = "gzip";
    } else if (text.starts_with("\x28\xb5\x2f\xfd")) {
        form_ = Form::encoded;
        encoding_ = "zstd";
    }
}

void BodyMask::content(const proto::Content& content, const Put& put) {
    const std::string_view text = proto::as_text(content.bytes);
    if (content.direction == proto::Direction::request) {
        request_lost_ = request_lost_ || text.empty();
        if (model_ && !request_encoded_) {
            request_lost_ ? take_end(text, content.position, put) : request_.take(text, content.position, put);
        }
        return;
    }
    if (storage_) {
        storage_answer(text, content.position, put);
        return;
    }
    look_at_begin(text);
    if (text.empty()) {
        lose();
        return;
    }
    switch (form_) {
        case Form::encoded:
            encoded(text, content.position);
            break;
        case Form::events:
        case Form::lines:
            events(text, content.position, put);
            break;
        case Form::json:
            if (model_) {
                lost_ ? take_end(text, content.position, put) : answer_.take(text, content.position, put);
            }
            break;
        case Form::unknown:
            break;
    }
}

/// As request::StorageWatch reads it; in pieces as they come, for these answers are short.
void BodyMask::storage_answer(std::string_view text, std::uint64_t position, const Put& put) const {
    const auto show = [&](std::size_t begin, std::string_view shown) {
        for (std::size_t i = 0; i < shown.size(); ++i) {
            put(position + begin + i, shown[i]);
        }
    };
    if (const std::size_t error = text.find("<Error"); error != std::string_view::npos) {
        show(error, "<Error");
    }
    for (const std::string_view name : {"Code", "UploadId"}) {
        const std::string_view value = s3::element(text, name);
        if (!value.empty()) {
            const auto begin = static_cast<std::size_t>(value.data() - text.data());
            const std::string open = "<" + std::string(name) + ">";
            show(begin - open.size(), open);
            show(begin, name == "Code" ? std::string(value) : pseudonym(value, secret_));
            show(begin + value.size(), "</" + std::string(name) + ">");
        }
    }
}

void BodyMask::lose() {
    lost_ = true;
    line_empty_ = after_cr_ = false;
    held_.clear();
    places_.clear();
}

/// Where an event is torn, its end is looked for, and what it says at its end.
void BodyMask::events(std::string_view text, std::uint64_t position, const Put& put) {
    const bool torn = lost_;
    for (std::size_t i = 0; i < text.size(); ++i) {
        event_byte(text[i], position + i, put);
    }
    if (torn && model_) {
        take_end(text, position, put);
    }
}

void BodyMask::event_byte(char c, std::uint64_t position, const Put& put) {
    const bool after_cr = std::exchange(after_cr_, c == '\r');
    if (c == '\n' || c == '\r') {
        put(position, c);
        if (c == '\r' || !after_cr) {
            line_over(put);
        }
        return;
    }
    line_empty_ = false;
    if (lost_) {
        return;
    }
    if (line_ == Line::name) {
        name_byte(c, position, put);
        return;
    }
    const bool first = line_ == Line::blank;
    line_ = first ? Line::data : line_;
    if (first && c == ' ') {
        put(position, c);
    } else if (line_ == Line::data && model_) {
        answer_.take(std::string_view(&c, 1), position, put);
    }
}

void BodyMask::line_over(const Put& put) {
    const bool lines = form_ == Form::lines;
    if (lines || std::exchange(line_empty_, true)) {
        answer_ = JsonMask(nullptr);
        lost_ = false;
    } else if (!lost_ && line_ == Line::name) {
        tell_name(put);
    } else if (!lost_ && line_ == Line::data) {
        answer_.take("\n", 0, [](std::uint64_t, char) {});
    }
    line_ = lines ? Line::data : Line::name;
    name_.clear();
    name_places_.clear();
}

void BodyMask::name_byte(char c, std::uint64_t position, const Put& put) {
    constexpr std::size_t kLongest = 8;
    if (c == ':') {
        tell_name(put);
        put(position, c);
        line_ = name_ == "data" ? Line::blank : Line::other;
    } else if (name_.size() < kLongest) {
        name_places_.push_back(position);
        name_.push_back(c);
    } else {
        line_ = Line::other;
    }
}

/// Of a field, if it is one of the standard's.
void BodyMask::tell_name(const Put& put) {
    if (name_ == "data" || name_ == "event" || name_ == "id" || name_ == "retry") {
        for (std::size_t i = 0; i < name_.size(); ++i) {
            put(name_places_[i], name_[i]);
        }
    }
}

void BodyMask::encoded(std::string_view text, std::uint64_t position) {
    if (lost_ || held_.size() + text.size() > kMostEncoded) {
        lose();
        return;
    }
    held_.append(text);
    for (std::size_t i = 0; i < text.size(); ++i) {
        places_.push_back(position + i);
    }
}

std::string BodyMask::masked_document(std::string_view text) {
    std::string out(text.size(), 'x');
    const Put put = [&out](std::uint64_t position, char c) { out[static_cast<std::size_t>(position)] = c; };
    BodyMask mask(secret_);
    mask.model_ = model_;
    mask.form_ = within_;
    mask.line_ = within_ == Form::lines ? Line::data : Line::name;
    mask.content({.direction = proto::Direction::response, .bytes = std::as_bytes(std::span(text))}, put);
    return out;
}

void BodyMask::finish(const Put& put) {
    if (form_ != Form::encoded || lost_ || held_.empty()) {
        return;
    }
    const auto text = genai::inflate(encoding_, held_);
    const auto again = text ? compressed(encoding_, masked_document(*text), held_.size()) : std::nullopt;
    for (std::size_t i = 0; again && i < again->size(); ++i) {
        put(places_[i], (*again)[i]);
    }
}

}  // namespace timesink::redact
