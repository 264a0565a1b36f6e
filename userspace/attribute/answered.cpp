#include "attribute/answered.hpp"

#include "attribute/live_unit.hpp"

namespace timesink::attribute {

AnsweredRef answered(const LiveUnit& live) {
    const request::Unit& unit = live.unit;
    if (!unit.complete) {
        return nullptr;
    }
    auto made = std::make_shared<Answered>();
    made->id = unit.id;
    made->socket = unit.socket;
    made->process = unit.process;
    made->thread = unit.thread;
    made->answered_by = unit.answered_by;
    made->activated = live.activated;
    made->end = unit.end;
    made->protocol = unit.protocol;
    made->method = unit.method;
    made->path = unit.path;
    made->route = unit.route;
    made->server = unit.server;
    made->network_namespace = unit.network_namespace;
    return made;
}

}  // namespace timesink::attribute
