//! `/api/contacts`: the list, one, and who of them is the user.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use chatstats_model::{Contact, ContactId, ContactList, ContactPatch};
use chatstats_store::Lane;

use super::extract::{JsonBody, id};
use crate::app::AppState;
use crate::problem::ApiError;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/contacts", get(list))
        .route("/api/contacts/{contact_id}", get(one).patch(change))
}

/// All contacts, the most recent first.
async fn list(State(state): State<AppState>) -> Result<Json<ContactList>, ApiError> {
    let contacts = state.store.read(|reader| reader.contacts()).await?;
    Ok(Json(ContactList { contacts }))
}

async fn one(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Json<Contact>, ApiError> {
    read(&state, ContactId(id(path, "This contact")?)).await
}

/// Says that a contact is the user, or is not.
async fn change(
    State(state): State<AppState>,
    path: Result<Path<i64>, PathRejection>,
    JsonBody(patch): JsonBody<ContactPatch>,
) -> Result<Json<Contact>, ApiError> {
    let contact_id = ContactId(id(path, "This contact")?);
    if let Some(is_me) = patch.is_me {
        state
            .store
            .write(Lane::Live, 0, move |write| {
                write.set_contact_is_me(contact_id, is_me)
            })
            .await?;
    }
    read(&state, contact_id).await
}

async fn read(state: &AppState, contact_id: ContactId) -> Result<Json<Contact>, ApiError> {
    let contact = state.store.read(move |reader| reader.contact(contact_id)).await?;
    contact
        .map(Json)
        .ok_or_else(|| ApiError::NotFound("This contact".into()))
}
