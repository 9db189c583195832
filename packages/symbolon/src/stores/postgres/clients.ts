// Clients: put and found. Their epoch grows with status, scopes, audiences and targets, since tokens carry those.

import type { Client, ClientStore } from '#core'
import { clientColumns, clientOf, type Row, weighty } from '#stores/rows'
import type { Driver } from './driver.ts'
import { createLookup } from './lookup.ts'
import { auditJson, feedLife, headOf, type Logged, orRefusal, selection, type Verbs } from './write.ts'

const row = `json_build_array(${selection(clientColumns, 'c')})`

export const clientFunctions = `
CREATE FUNCTION @put_client(client jsonb, seen jsonb, grows boolean, lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  before record;
  new_epoch bigint := 1;
  entries jsonb := '[]';
BEGIN
  SELECT c.epoch, ${row}::jsonb AS was INTO before FROM @clients c WHERE c.tenant = 'main' AND c.id = client->>'id' FOR NO KEY UPDATE;
  now := @time();
  -- Whoever changes what somebody else just changed would undo it unseen.
  IF before.was IS DISTINCT FROM seen THEN PERFORM @refuse('"conflict"'); END IF;
  IF seen IS NOT NULL THEN new_epoch := before.epoch + grows::integer; END IF;
  INSERT INTO @clients AS c (${clientColumns.join(', ')})
    VALUES (client->>'id', 'main', client->>'name', client->>'transport', client->>'status', new_epoch, client->>'origins', client->>'return_to',
      client->>'secret_hashes', client->>'scopes', client->>'audiences', client->>'policy', now, client->>'keys', client->>'token_format')
    ON CONFLICT (tenant, id) DO UPDATE SET mark = DEFAULT, name = excluded.name, transport = excluded.transport, status = excluded.status,
      epoch = excluded.epoch, origins = excluded.origins, return_to = excluded.return_to, secret_hashes = excluded.secret_hashes,
      scopes = excluded.scopes, audiences = excluded.audiences, policy = excluded.policy, keys = excluded.keys, token_format = excluded.token_format
    WHERE seen IS NOT NULL;
  -- Somebody made it between our look and this.
  IF NOT FOUND THEN PERFORM @refuse('"conflict"'); END IF;
  IF grows THEN
    entries := jsonb_build_array(jsonb_build_object('kind', 'client', 'id', client->>'id', 'epoch', new_epoch, 'expires', now + ${feedLife.client}));
  END IF;
  PERFORM @write_audit(lines, now, NULL);
  RETURN json_build_object('log', @log(entries, now), 'client', (SELECT ${row} FROM @clients c WHERE c.tenant = 'main' AND c.id = client->>'id'));
END $$;
CREATE FUNCTION @bump_client(client text, lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  grown bigint;
BEGIN
  UPDATE @clients SET mark = DEFAULT, epoch = epoch + 1 WHERE tenant = 'main' AND id = client RETURNING epoch INTO grown;
  IF NOT FOUND THEN RETURN NULL; END IF;
  now := @time();
  PERFORM @write_audit(lines, now, NULL);
  RETURN json_build_object('client', (SELECT ${row} FROM @clients c WHERE c.tenant = 'main' AND c.id = client),
    'log', @log(jsonb_build_array(jsonb_build_object('kind', 'client', 'id', client, 'epoch', grown, 'expires', now + ${feedLife.client})), now));
END $$;
`

/** What stands in the columns that a client's own record fills. */
const filled = (client: Omit<Client, 'epoch' | 'createdAt' | 'tenant'>) => ({
  id: client.id,
  name: client.name,
  transport: client.transport,
  status: client.status,
  origins: JSON.stringify(client.origins),
  return_to: JSON.stringify(client.returnTo),
  secret_hashes: JSON.stringify(client.secretHashes),
  scopes: JSON.stringify(client.scopes),
  audiences: JSON.stringify(client.audiences),
  policy: JSON.stringify(client.policy),
  keys: JSON.stringify(client.keys),
  token_format: client.accessTokenFormat,
})

/** A client as its row was when it was read. */
function rowOf(client: Client): Row {
  const all: Readonly<Record<string, unknown>> = {
    ...filled(client),
    tenant: client.tenant,
    epoch: client.epoch,
    created_at: client.createdAt,
  }
  return clientColumns.map((name) => all[name])
}

/** The verbs. */
export function createClients(driver: Driver, { logging }: Verbs): ClientStore {
  const text = `SELECT k.n::integer, ${row} FROM unnest($1::text[]) WITH ORDINALITY AS k(id, n) JOIN @clients c ON c.tenant = 'main' AND c.id = k.id`
  const find = createLookup(driver, { name: 'find_clients', text }, clientOf)
  type Changed = { client: Row; log: Logged }
  const changed = ({ client, log }: Changed) => ({ client: clientOf(client), head: headOf(log.head) })
  return {
    put(client, before, audit) {
      const grows = before !== null && weighty(before) !== weighty(client)
      const values = [
        JSON.stringify(filled(client)),
        before === null ? null : JSON.stringify(rowOf(before)),
        String(grows),
        auditJson(audit),
      ]
      return orRefusal(logging<Changed>({ name: 'put_client', text: 'SELECT @put_client($1, $2, $3, $4)' }, values).then(changed))
    },
    async bump(id, audit) {
      const bumped = await logging<Changed | null>({ name: 'bump_client', text: 'SELECT @bump_client($1, $2)' }, [id, auditJson(audit)])
      return bumped === null ? undefined : changed(bumped)
    },
    find,
    async list() {
      const text = `SELECT ${row} FROM @clients c WHERE c.tenant = 'main' ORDER BY c.id`
      return (await driver.read({ name: 'list_clients', text }, [])).map((one) => clientOf(one[0] as Row))
    },
  }
}
