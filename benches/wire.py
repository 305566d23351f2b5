"""Holds the model port to the providers' own descriptions; see benches/wire.sh.

    wire.py SPRAG HELPDESK [OPENAPI]

A server on loopback, made of the types of PyPI's `openai` and `anthropic`, answers sprag. Each request is checked against the types of the request in
the SDK, and against OpenAI's OpenAPI description (`openapi.json` of github.com/openai/openai-openapi) if one is named. Each answer is an object of the
SDK's, whole or as the events of its stream, and what sprag says of it is compared.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jsonschema
from anthropic import types as an
from anthropic.types import message_create_params
from openai.types import chat as oc
from openai.types import responses as orr
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import TypeAdapter, ValidationError

SPRAG, HELPDESK = sys.argv[1], sys.argv[2]
OPENAPI = json.load(open(sys.argv[3])) if len(sys.argv) > 3 else None
REQUESTS, PROBLEMS, LATEST = {}, [], {}
PARAMS = {
    "chat": completion_create_params.CompletionCreateParamsStreaming,
    "responses": response_create_params.ResponseCreateParamsStreaming,
    "messages": message_create_params.MessageCreateParamsStreaming,
}
ADAPTERS = {wire: TypeAdapter(params) for wire, params in PARAMS.items()}
SCHEMAS = {"chat": "CreateChatCompletionRequest", "responses": "CreateResponse"}


def exhaust(value):
    """Lists in the SDKs' types are iterables, whose items pydantic checks when they are asked for."""
    if isinstance(value, dict):
        value = value.values()
    if hasattr(value, "__iter__") and not isinstance(value, (str, bytes)):
        for item in value:
            exhaust(item)


def problems_of(wire, body):
    # Neither description forbids keys that nobody knows.
    unknown = set(body) - PARAMS[wire].__required_keys__ - PARAMS[wire].__optional_keys__
    problems = ["unknown: %s" % key for key in sorted(unknown)]
    try:
        exhaust(ADAPTERS[wire].validate_python(body))
    except ValidationError as error:
        problems += ["SDK: %s" % str(one["loc"]) + one["msg"] for one in error.errors()[:3]]
    if OPENAPI and wire in SCHEMAS:
        schema = {"$ref": "#/components/schemas/" + SCHEMAS[wire], "components": OPENAPI["components"]}
        found = jsonschema.Draft202012Validator(schema).iter_errors(body)
        problems += ["OpenAPI: %s: %s" % (list(one.absolute_path), one.message[:200]) for one in list(found)[:3]]
    return problems


def check(wire, body):
    problems = problems_of(wire, body)
    LATEST[wire] = body
    kinds = [kind for kind in ("tools", "response_format", "text", "output_config", "stream", "temperature") if body.get(kind)]
    REQUESTS.setdefault((wire, " ".join(kinds)), [0, 0])[bool(problems)] += 1
    PROBLEMS.extend((wire, one) for one in problems)


def broken(body):
    """The same request with a mistake in it, so that a check that finds nothing is known to look."""
    yield dict(body, model=7)
    yield dict(body, colour="green")
    for key in ("messages", "input", "tools"):
        if key in body:
            yield dict(body, **{key: [{"role": "nobody", "content": 7}]})
    yield dict(body, temperature="warm")


def dump(thing):
    return thing.model_dump(mode="json", exclude_unset=True)


def chat(text=None, calls=(), finish="stop", refusal=None):
    def chunk(delta, finish=None, usage=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        raw = dict(id="c", object="chat.completion.chunk", created=0, model="m", choices=[] if usage else [choice], usage=usage)
        return dump(oc.ChatCompletionChunk.model_validate(raw))

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": part}) for part in halves(text)] + [chunk({"refusal": part}) for part in halves(refusal)]
    for at, (name, arguments) in enumerate(calls):
        events.append(chunk({"tool_calls": [{"index": at, "id": "call_%d" % at, "type": "function", "function": {"name": name, "arguments": ""}}]}))
        events += [chunk({"tool_calls": [{"index": at, "function": {"arguments": part}}]}) for part in halves(arguments)]
    events += [chunk({}, finish), chunk({}, usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})]
    return "".join("data: %s\n\n" % json.dumps(event) for event in events) + "data: [DONE]\n\n"


def responses(text=None, calls=(), finish="stop", refusal=None):
    content = []
    if text is not None:
        content.append({"type": "output_text", "text": text, "annotations": []})
    if refusal is not None:
        content.append({"type": "refusal", "refusal": refusal})
    output = [{"id": "msg", "type": "message", "role": "assistant", "status": "completed", "content": content}] if content else []
    output += [{"id": "fc%d" % at, "type": "function_call", "call_id": "call_%d" % at, "name": name, "arguments": arguments, "status": "completed"} for at, (name, arguments) in enumerate(calls)]
    usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 15}
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    raw = dict(id="resp", object="response", created_at=0, model="m", output=output, parallel_tool_calls=True, tool_choice="auto", tools=[], usage=usage, status="incomplete" if finish in reasons else "completed", error=None, incomplete_details={"reason": reasons[finish]} if finish in reasons else None, instructions=None, metadata={})
    whole = dump(orr.Response.model_validate(raw))
    begun = dict(whole, status="in_progress", output=[])
    events = [dump(orr.ResponseCreatedEvent(type="response.created", sequence_number=0, response=orr.Response.model_validate(begun)))]
    for at, item in enumerate(output):
        events.append({"type": "response.output_item.added", "output_index": at, "sequence_number": 1, "item": item if item["type"] != "message" else dict(item, content=[])})
        for part in halves(text if item["type"] == "message" else None):
            events.append(dump(orr.ResponseTextDeltaEvent(type="response.output_text.delta", content_index=0, delta=part, item_id="msg", logprobs=[], output_index=at, sequence_number=2)))
        events.append({"type": "response.output_item.done", "output_index": at, "sequence_number": 3, "item": item})
    kind = "response.incomplete" if finish in reasons else "response.completed"
    events.append({"type": kind, "sequence_number": 9, "response": whole})
    for event in events:
        TypeAdapter(orr.ResponseStreamEvent).validate_python(event)
    return "".join("event: %s\ndata: %s\n\n" % (event["type"], json.dumps(event)) for event in events)


def messages(text=None, calls=(), finish="stop", refusal=None):
    stop = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"}[finish]
    stop = "refusal" if refusal is not None else stop
    usage = {"input_tokens": 10, "output_tokens": 1}
    begun = dump(an.Message.model_validate(dict(id="msg", type="message", role="assistant", model="m", content=[], stop_reason=None, stop_sequence=None, usage=usage)))
    events = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    blocks = [({"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in halves(said)]) for said in (text, refusal) if said is not None]
    blocks += [({"type": "tool_use", "id": "toolu_%d" % at, "name": name, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in halves(arguments)]) for at, (name, arguments) in enumerate(calls)]
    for at, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": at, "content_block": block})
        events += [{"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": at})
    events += [{"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 5}}, {"type": "message_stop"}]
    for event in events:
        if event["type"] != "ping":
            TypeAdapter(an.RawMessageStreamEvent).validate_python(event)
    return "".join("event: %s\ndata: %s\n\n" % (event["type"], json.dumps(event)) for event in events)


def halves(text):
    return [part for part in (text[: len(text) // 2], text[len(text) // 2 :]) if part] if text else []


WIRES = {"chat": chat, "responses": responses, "messages": messages}


def error(wire, kind, message, code=None):
    if wire == "messages":
        raw = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req"}
        TypeAdapter(an.ErrorResponse).validate_python(raw)
        return json.dumps(raw)
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


# What the server does: the status, headers and body of each answer in turn; and what `sprag doctor` must say of it.
def scenarios(wire):
    say = WIRES[wire]
    fine = (200, {}, say("yes"))
    busy = error(wire, "rate_limit_error", "Slow down", "rate_limit_exceeded")
    return {
        "words": ([fine], "answers"),
        "refusal": ([(200, {}, say(refusal="I cannot help with that."))], "refus"),
        "content filter": ([(200, {}, say(finish="content_filter"))], "refus|filter"),
        "empty": ([(200, {}, say(""))], "empty|nothing"),
        "cut by length": ([(200, {}, say("ye", finish="length"))], "answers|cut|length|token"),
        "retry-after": ([(429, {"retry-after": "0"}, busy), fine], "answers"),
        "overloaded": ([(529 if wire == "messages" else 503, {"retry-after": "0"}, error(wire, "overloaded_error", "Overloaded")), fine], "answers"),
        "server error": ([(500, {"retry-after": "0"}, error(wire, "api_error", "Oops")), fine], "answers"),
        "cut stream": ([(200, {"retry-after": "0"}, fine[2][: len(fine[2]) // 3].rsplit("\n\n", 1)[0] + "\n\n"), fine], "answers"),
        "wrong key": ([(401, {}, error(wire, "authentication_error", "invalid x-api-key", "invalid_api_key"))], "key|401"),
        "no quota": ([(429, {}, error(wire, "billing_error" if wire == "messages" else "insufficient_quota", "You exceeded your current quota", "insufficient_quota"))] if wire != "messages" else [(400, {}, error(wire, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."))], "quota|credit|paid|money"),
        "too long": ([(400, {}, error(wire, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum" if wire == "messages" else "This model's maximum context length is 128000 tokens.", "context_length_exceeded"))], "long|context"),
        "unknown model": ([(404, {}, error(wire, "not_found_error", "model: m", "model_not_found"))], "model|404"),
    }


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        wire = {"completions": "chat", "responses": "responses", "messages": "messages"}[self.path.rsplit("/", 1)[1]]
        check(wire, body)
        if wire == "messages" and not self.headers.get("anthropic-version"):
            PROBLEMS.append((wire, "no anthropic-version"))
        status, headers, text = self.server.answer(wire, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        data = text.encode()
        self.send_header("content-type", "text/event-stream" if status == 200 else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def config(wire, port):
    provider = "anthropic" if wire == "messages" else "openai"
    api = 'api = "responses"\n' if wire == "responses" else ""
    return '[model]\nprovider = "%s"\nname = "m"\n%sbase_url = "http://127.0.0.1:%d/v1"\nprices = { input = 1, output = 1 }\n' % (provider, api, port)


def sprag(arguments, folder):
    env = dict(PATH=os.environ["PATH"], HOME=folder, OPENAI_API_KEY="played", ANTHROPIC_API_KEY="played")
    ran = subprocess.run([SPRAG, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    return ran.stdout + ran.stderr


def editing(wire, body):
    """A model that reads, edits and hands in with tools, and fills any form with nothing that holds."""
    say = WIRES[wire]
    if not body.get("tools"):
        return 200, {}, say('{"reason": "I do not know."}')
    turn = json.dumps(body).count('"tool_result"' if wire == "messages" else '"role": "tool"' if wire == "chat" else '"function_call_output"')
    path = {"path": "agent/playbook.toml"}
    turns = [
        [("read", json.dumps(path)), ("list", "{}")],
        [("edit", json.dumps(dict(path, old="rounds = 1", new="rounds = 2"))), ("note", '{"text": "twice"}')],
        [("finish", json.dumps({"title": "Twice", "hypothesis": "Late.", "predicted_fixes": [], "risk": "None."}))],
    ]
    return 200, {}, say(calls=turns[min((turn + 1) // 2, 2)], finish="tool_calls")


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, missed, replies = server.server_address[1], [], {}
    for wire in WIRES:
        for name, (answers, wanted) in scenarios(wire).items():
            turns = iter(answers)
            server.answer = lambda *_: next(turns, answers[-1])
            with tempfile.TemporaryDirectory() as folder:
                open(folder + "/sprag.toml", "w").write('[harness]\npaths = ["agent/**"]\n[runner]\ncommand = ["true"]\n' + config(wire, port))
                told = [line for line in sprag(["doctor"], folder).splitlines() if re.search(r"\bmodel\b", line)]
            told = " ".join(" ".join(told[:1]).split())
            print("%-9s  %-14s  %s" % (wire, name, told[:150]))
            counted = replies.setdefault(wire, [0, 0])
            counted[0] += 1
            if re.search(wanted, told, re.I):
                counted[1] += 1
            else:
                missed.append("%s, %s: %s" % (wire, name, told[:300]))
        server.answer = editing
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["cp", "-r", HELPDESK + "/.", folder], check=True)
            open(folder + "/sprag.toml", "a").write("\n" + config(wire, port) + '[proposer]\nkind = "model"\n')
            sprag(["simulate", "--batches", "1", "--experiments", "1", "--out", "out"], folder)
            table = open(folder + "/out/results.tsv").read() if os.path.exists(folder + "/out/results.tsv") else ""
        found = [bool(problems_of(wire, one)) for one in broken(LATEST[wire])]
        print("broken    %-9s  %3d of %3d requests found" % (wire, sum(found), len(found)))
        if not all(found):
            missed.append("%s: a broken request passes: %s" % (wire, found))
        counted = replies[wire]
        counted[0] += 1
        if "model: m, 3 steps" in table:
            counted[1] += 1
        else:
            missed.append("%s, tools: %s" % (wire, table[-300:]))
    for (wire, kinds), (good, bad) in sorted(REQUESTS.items()):
        print("requests  %-9s  %3d of %3d valid  %s" % (wire, good, good + bad, kinds))
    for wire, (all_of_them, good) in replies.items():
        print("replies   %-9s  %3d of %3d understood" % (wire, good, all_of_them))
    for problem in sorted(set(PROBLEMS)) + missed:
        print("MISSED", problem)
    sys.exit(bool(PROBLEMS or missed))


main()
