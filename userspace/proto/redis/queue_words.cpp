#include "proto/redis/queue_words.hpp"

#include <string>
#include <utility>

#include "proto/redis/queue_script.hpp"

namespace timesink::proto::redis {

void tell_queue(const CommandReader& command, std::string_view adds_to, Head& head) {
    const QueueScript& script = command.queue();
    std::string queue = script.queue();
    std::string_view type;
    switch (script.does()) {
        case QueueScript::Does::adds:
            type = "send";
            break;
        case QueueScript::Does::takes:
            type = "receive";
            break;
        case QueueScript::Does::settles:
            type = "settle";
            head.attributes.emplace_back("messaging.message.id", script.job());
            if (script.failed() || script.put_back()) {
                head.attributes.emplace_back("messaging.settled", script.failed() ? "failed" : "put back");
            }
            break;
        case QueueScript::Does::renews:
            head.housekeeping = true;
            return;
        case QueueScript::Does::nothing:
            queue = adds_to.empty() ? queue_waited_for(command.name(), command.key()) : std::string(adds_to);
            type = adds_to.empty() ? "receive" : "send";
            break;
    }
    if (!queue.empty()) {
        head.attributes.emplace_back("messaging.destination.name", std::move(queue));
        head.attributes.emplace_back("messaging.operation.type", type);
    }
}

}  // namespace timesink::proto::redis
