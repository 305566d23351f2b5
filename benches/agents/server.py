"""A model server for benches/agents.sh, without a model: it speaks Anthropic's Messages, OpenAI's Responses and Chat Completions, and Gemini's
generateContent, and makes whichever coding agent asks it edit one file with the agent's own tools, write SPRAG_ANSWER.json, and stop.

    python3 server.py LOG     prints its port; every request's tools go to LOG
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE, REST = "agent/playbook.toml", " # how often the whole playbook is played"
OLD, NEW = "rounds = 1" + REST, "rounds = 2" + REST
ANSWER = json.dumps({"title": "Play the playbook twice", "hypothesis": "Steps come too late.", "predicted_fixes": [], "risk": "None known."})
DONE = "I have made the change."
PATCH = "*** Begin Patch\n*** Update File: %s\n@@\n-%s\n+%s\n*** Add File: SPRAG_ANSWER.json\n+%s\n*** End Patch" 
LOG = open(sys.argv[1], "a")


def folder(text):
    """Where the agent says that it works."""
    found = re.search(r"(?:[Ww]orking directory|<cwd>|[Cc]urrent working directory)[^/\n]{0,40}(/[^\s<\"\\,]+)", text)
    return found.group(1).rstrip(".`*") if found else "."


def steps(tools, cwd):
    """What is called, one call a turn, by the tools that the agent has."""
    path, answer = f"{cwd}/{FILE}", f"{cwd}/SPRAG_ANSWER.json"
    if "Edit" in tools:  # Claude Code
        return [
            ("Read", {"file_path": path}),
            ("Edit", {"file_path": path, "old_string": OLD, "new_string": NEW}),
            ("Write", {"file_path": answer, "content": ANSWER}),
        ]
    if "replace" in tools:  # Gemini CLI
        return [
            ("read_file", {"file_path": path}),
            ("replace", {"file_path": path, "old_string": OLD, "new_string": NEW, "instruction": "Play it twice.", "allow_multiple": False}),
            ("write_file", {"file_path": answer, "content": ANSWER}),
        ]
    if "edit" in tools:  # OpenCode
        return [
            ("read", {"filePath": path}),
            ("edit", {"filePath": path, "oldString": OLD, "newString": NEW}),
            ("write", {"filePath": answer, "content": ANSWER}),
        ]
    patch = PATCH % (FILE, OLD, NEW, ANSWER)
    if "apply_patch" in tools:  # Codex
        return [("apply_patch", patch)]
    for shell, argument in (("exec_command", "cmd"), ("shell_command", "command")):
        if shell in tools:
            return [(shell, {argument: f"apply_patch <<'EOF'\n{patch}\nEOF"})]
    return []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, body, kind="application/json"):
        data = body.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def events(self, events, named=False):
        lines = []
        for event in events:
            head = f"event: {event['type']}\n" if named else ""
            lines.append(f"{head}data: {json.dumps(event)}\n\n")
        self.say("".join(lines), "text/event-stream")

    def do_GET(self):
        self.say(json.dumps({"object": "list", "data": [{"id": "played", "object": "model"}], "models": []}))

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        body = json.loads(raw or "{}")
        path = self.path.split("?")[0]
        LOG.write(json.dumps({"path": self.path, "tools": sorted(names(body)), "turn": raw.count('"tool_use_id"')}) + "\n")
        LOG.flush()
        text = raw.encode().decode("unicode_escape", "replace") if "\\n" in raw else raw
        calls = steps(names(body), folder(text))
        if path.endswith("/messages"):
            self.messages(body, calls)
        elif path.endswith("count_tokens"):
            self.say(json.dumps({"input_tokens": 1000}))
        elif path.endswith("/responses"):
            self.said_by_responses(body, calls)
        elif path.endswith("/chat/completions"):
            self.chat(body, calls)
        elif "enerateContent" in path:
            self.gemini(body, calls, path)
        else:
            self.say("{}")

    def messages(self, body, calls):
        turn = sum(part.get("type") == "tool_result" for message in body["messages"] for part in parts(message))
        usage = {"input_tokens": 1000, "output_tokens": 10}
        if turn < len(calls):
            name, arguments = calls[turn]
            block = {"type": "tool_use", "id": f"toolu_{turn}", "name": name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
            stop = "tool_use"
        else:
            block, delta, stop = {"type": "text", "text": ""}, {"type": "text_delta", "text": DONE}, "end_turn"
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        if not body.get("stream"):
            whole = dict(block, text=DONE) if stop == "end_turn" else dict(block, input=arguments)
            return self.say(json.dumps(dict(message, content=[whole], stop_reason=stop)))
        self.events(
            [
                {"type": "message_start", "message": message},
                {"type": "content_block_start", "index": 0, "content_block": block},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 10}},
                {"type": "message_stop"},
            ],
            named=True,
        )

    def said_by_responses(self, body, calls):
        turn = sum(str(item.get("type", "")).endswith("_call_output") for item in body["input"])
        if turn < len(calls):
            name, arguments = calls[turn]
            item = {"id": f"fc_{turn}", "call_id": f"call_{turn}", "name": name, "status": "completed"}
            if isinstance(arguments, str):
                item.update(type="custom_tool_call", input=arguments)
            else:
                item.update(type="function_call", arguments=json.dumps(arguments))
        else:
            item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": DONE, "annotations": []}]}
        usage = {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 10, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1010}
        self.events(
            [
                {"type": "response.created", "response": {"id": "resp_1"}},
                {"type": "response.output_item.added", "output_index": 0, "item": item},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": {"id": "resp_1", "output": [item], "usage": usage}},
            ],
            named=True,
        )

    def chat(self, body, calls):
        turn = sum(message["role"] == "tool" for message in body["messages"])
        base = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
        if turn < len(calls):
            name, arguments = calls[turn]
            delta = {"role": "assistant", "tool_calls": [{"index": 0, "id": f"call_{turn}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}]}
            finish = "tool_calls"
        else:
            # Without tools: aider, which reads blocks to search and replace.
            block = f"{FILE}\n```toml\n<<<<<<< SEARCH\n{OLD}\n=======\n{NEW}\n>>>>>>> REPLACE\n```\n\nSPRAG_ANSWER.json\n```json\n<<<<<<< SEARCH\n=======\n{ANSWER}\n>>>>>>> REPLACE\n```\n"
            delta = {"role": "assistant", "content": DONE if body.get("tools") or "SEARCH" not in json.dumps(body) else block}
            finish = "stop"
        usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
        if not body.get("stream"):
            message = {"role": "assistant", "content": delta.get("content"), "tool_calls": delta.get("tool_calls")}
            whole = dict(base, object="chat.completion", choices=[{"index": 0, "message": message, "finish_reason": finish}], usage=usage)
            return self.say(json.dumps(whole))
        chunks = [dict(base, choices=[{"index": 0, "delta": delta, "finish_reason": None}]), dict(base, choices=[{"index": 0, "delta": {}, "finish_reason": finish}], usage=usage)]
        data = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.say(data, "text/event-stream")

    def gemini(self, body, calls, path):
        turn = sum("functionResponse" in part for content in body.get("contents", []) for part in content.get("parts", []))
        if turn < len(calls) and body.get("tools"):
            part = {"functionCall": {"name": calls[turn][0], "args": calls[turn][1]}}
        elif "json" in (body.get("generationConfig") or {}).get("responseMimeType", ""):
            part = {"text": json.dumps({"reasoning": "It is an edit.", "model_choice": "pro"})}  # Gemini CLI's router
        else:
            part = {"text": DONE}
        usage = {"promptTokenCount": 1000, "candidatesTokenCount": 10, "totalTokenCount": 1010}
        answer = {"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}], "usageMetadata": usage, "modelVersion": "played"}
        if "stream" in path:
            return self.say(f"data: {json.dumps(answer)}\n\n", "text/event-stream")
        self.say(json.dumps(answer))


def parts(message):
    return message["content"] if isinstance(message["content"], list) else []


def names(body):
    found = set()
    for tool in body.get("tools") or []:
        for one in tool.get("functionDeclarations") or [tool]:
            found.add(one.get("name") or (one.get("function") or {}).get("name") or one.get("type") or "")
    return found


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
