//! Small traces for the tests of the rules.

use crate::trace::{Expected, ExpectedAction, Role, Step, Termination, ToolCall, Trace};

pub(crate) fn trace(steps: Vec<Step>) -> Trace {
    Trace {
        steps,
        termination: Termination::AgentStop,
        ..Trace::default()
    }
}

pub(crate) fn user(content: &str) -> Step {
    Step {
        role: Role::User,
        content: content.to_owned(),
        ..Step::default()
    }
}

pub(crate) fn said(content: &str) -> Step {
    Step {
        role: Role::Assistant,
        content: content.to_owned(),
        ..Step::default()
    }
}

pub(crate) fn agent_calls(id: &str, tool: &str, arguments: &str) -> Step {
    let arguments = serde_json::from_str(arguments).unwrap();
    let call = ToolCall {
        id: id.to_owned(),
        name: tool.to_owned(),
        arguments,
        requestor: None,
    };
    Step {
        role: Role::Assistant,
        tool_calls: vec![call],
        ..Step::default()
    }
}

/// A call `u` of the person.
pub(crate) fn user_calls(tool: &str, arguments: &str) -> Step {
    Step {
        role: Role::User,
        ..agent_calls("u", tool, arguments)
    }
}

pub(crate) fn answer(id: &str, content: &str, error: bool) -> Step {
    Step {
        role: Role::Tool,
        content: content.to_owned(),
        call_id: Some(id.to_owned()),
        error,
        ..Step::default()
    }
}

/// The trace with one more expected action.
pub(crate) fn expects(mut trace: Trace, tool: &str, arguments: &str) -> Trace {
    let arguments = serde_json::from_str(arguments).unwrap();
    let action = ExpectedAction {
        name: tool.to_owned(),
        arguments,
        ..ExpectedAction::default()
    };
    trace
        .expected
        .get_or_insert_with(Expected::default)
        .actions
        .push(action);
    trace
}
